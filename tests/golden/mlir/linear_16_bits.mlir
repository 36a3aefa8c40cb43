#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map4 = affine_map<(d0) -> (d0)>
#map5 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x4x5xi16>, %step: tensor<i64>) -> tensor<1x4x3xi16> {
    %constant_3 = arith.constant dense<[[44, -81, -11, 64, -61], [123, 67, -25, -119, 83], [-107, 114, -92, -41, -58]]> : tensor<3x5xi8>
    %constant_4 = arith.constant dense<[1991416408, 1646868794, 1252949478]> : tensor<3xi32>
    %constant_5 = arith.constant dense<[32131554, 23439402]> : tensor<2xi32>
    %constant_7 = arith.constant dense<[-780045832, 1748544871, -324160686]> : tensor<3xi32>
    %constant_8 = arith.constant dense<[111056778, 87885939]> : tensor<2xi32>
    %constant_6 = arith.constant dense<[26, 35]> : tensor<2xi32>
    %constant_9 = arith.constant dense<[16, 24]> : tensor<2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %linear_default = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x4x5xi16> into tensor<4x5xi16>
    %linear_default_0 = tensor.empty() : tensor<4x3xi32>
    %linear_default_1 = linalg.fill ins(%c0_i32 : i32) outs(%linear_default_0 : tensor<4x3xi32>) -> tensor<4x3xi32>
    %linear_default_2 = tensor.empty() : tensor<3x5xi16>
    %linear_default_3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%constant_3 : tensor<3x5xi8>) outs(%linear_default_2 : tensor<3x5xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extsi %in : i8 to i16
      linalg.yield %1 : i16
    } -> tensor<3x5xi16>
    %linear_default_4 = linalg.matmul indexing_maps = [#map1, #map2, #map3] ins(%linear_default, %linear_default_3 : tensor<4x5xi16>, tensor<3x5xi16>) outs(%linear_default_1 : tensor<4x3xi32>) -> tensor<4x3xi32>
    %linear_default_5 = tensor.empty() : tensor<3xi32>
    %linear_default_6 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel"]} ins(%constant_4 : tensor<3xi32>) outs(%linear_default_5 : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_12 = tensor.extract %constant_5[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_12 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      %6 = arith.trunci %5 : i64 to i32
      linalg.yield %6 : i32
    } -> tensor<3xi32>
    %linear_default_7 = tensor.empty() : tensor<3xi64>
    %linear_default_8 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel"]} ins(%constant_7 : tensor<3xi32>) outs(%linear_default_7 : tensor<3xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_12 = tensor.extract %constant_8[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_12 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_13 = tensor.extract %constant_6[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_13 : i32 to i64
      %5 = arith.subi %4, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %extracted_14 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_14 : i32 to i64
      %8 = arith.subi %7, %c1_i64 : i64
      %9 = arith.shli %c1_i64, %8 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.shrsi %10, %7 : i64
      %12 = arith.addi %11, %6 : i64
      linalg.yield %12 : i64
    } -> tensor<3xi64>
    %linear_default_9 = tensor.empty() : tensor<4x3xi16>
    %linear_default_10 = linalg.generic {indexing_maps = [#map, #map5, #map5, #map], iterator_types = ["parallel", "parallel"]} ins(%linear_default_4, %linear_default_6, %linear_default_8 : tensor<4x3xi32>, tensor<3xi32>, tensor<3xi64>) outs(%linear_default_9 : tensor<4x3xi16>) {
    ^bb0(%in: i32, %in_12: i32, %in_13: i64, %out: i16):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_12 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %in_13 : i64
      %extracted_14 = tensor.extract %constant_6[%0] : tensor<2xi32>
      %5 = arith.extsi %extracted_14 : i32 to i64
      %6 = arith.shrsi %4, %5 : i64
      %7 = arith.maxsi %6, %c-32768_i64 : i64
      %8 = arith.minsi %7, %c32767_i64 : i64
      %9 = arith.trunci %8 : i64 to i16
      linalg.yield %9 : i16
    } -> tensor<4x3xi16>
    %linear_default_11 = tensor.expand_shape %linear_default_10 [[0, 1], [2]] output_shape [1, 4, 3] : tensor<4x3xi16> into tensor<1x4x3xi16>
    return %linear_default_11 : tensor<1x4x3xi16>
  }
}
