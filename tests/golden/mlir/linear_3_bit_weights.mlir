#map = affine_map<(d0, d1) -> (d0)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d1)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map6 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map8 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x4x5xi16>, %step: tensor<i64>) -> tensor<1x4x3xi16> {
    %constant_6 = arith.constant dense<[-66, 84, 17, 51, -80, 118]> : tensor<6xi8>
    %constant_7 = arith.constant dense<[1194674174, 1589190063, 2055650130]> : tensor<3xi32>
    %constant_8 = arith.constant dense<[37642299, 26584980]> : tensor<2xi32>
    %constant_10 = arith.constant dense<[-854669902, 1276266530, -598917431]> : tensor<3xi32>
    %constant_11 = arith.constant dense<[94322616, 81972487]> : tensor<2xi32>
    %constant_9 = arith.constant dense<[43, 37]> : tensor<2xi32>
    %constant_12 = arith.constant dense<[18, 23]> : tensor<2xi32>
    %constant_5 = arith.constant dense<[[1, 1], [6, 4]]> : tensor<2x2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[1753088, 4489216], [15204352, -327680]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c1_i8 = arith.constant 1 : i8
    %c6_i8 = arith.constant 6 : i8
    %c7_i8 = arith.constant 7 : i8
    %c2_i8 = arith.constant 2 : i8
    %constant_4 = arith.constant dense<[[53, 68], [14, -3]]> : tensor<2x2xi32>
    %group = arith.constant dense<[0, 1, 0, 0]> : tensor<4xi32>
    %c0_i32 = arith.constant 0 : i32
    %c63_i32 = arith.constant 63 : i32
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %constant_6_0 = tensor.extract_slice %constant_6[0] [4] [1] : tensor<6xi8> to tensor<4xi8>
    %constant_6_1 = tensor.empty() : tensor<4x4xi8>
    %constant_6_2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%constant_6_0 : tensor<4xi8>) outs(%constant_6_1 : tensor<4x4xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = linalg.index 1 : index
      %2 = arith.index_cast %1 : index to i8
      %3 = arith.shli %2, %c1_i8 : i8
      %4 = arith.subi %c6_i8, %3 : i8
      %5 = arith.shli %in, %4 : i8
      %6 = arith.shrui %5, %c6_i8 : i8
      linalg.yield %6 : i8
    } -> tensor<4x4xi8>
    %constant_6_3 = tensor.collapse_shape %constant_6_2 [[0, 1]] : tensor<4x4xi8> into tensor<16xi8>
    %constant_6_4 = tensor.extract_slice %constant_6_3[0] [15] [1] : tensor<16xi8> to tensor<15xi8>
    %constant_6_5 = tensor.extract_slice %constant_6[4] [2] [1] : tensor<6xi8> to tensor<2xi8>
    %constant_6_6 = tensor.empty() : tensor<2x8xi8>
    %constant_6_7 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%constant_6_5 : tensor<2xi8>) outs(%constant_6_6 : tensor<2x8xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = linalg.index 1 : index
      %2 = arith.index_cast %1 : index to i8
      %3 = arith.subi %c7_i8, %2 : i8
      %4 = arith.shli %in, %3 : i8
      %5 = arith.shrsi %4, %c7_i8 : i8
      %6 = arith.shli %5, %c2_i8 : i8
      linalg.yield %6 : i8
    } -> tensor<2x8xi8>
    %constant_6_8 = tensor.collapse_shape %constant_6_7 [[0, 1]] : tensor<2x8xi8> into tensor<16xi8>
    %constant_6_9 = tensor.extract_slice %constant_6_8[0] [15] [1] : tensor<16xi8> to tensor<15xi8>
    %constant_6_10 = tensor.empty() : tensor<15xi8>
    %constant_6_11 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel"]} ins(%constant_6_4, %constant_6_9 : tensor<15xi8>, tensor<15xi8>) outs(%constant_6_10 : tensor<15xi8>) {
    ^bb0(%in: i8, %in_31: i8, %out: i8):
      %1 = arith.addi %in, %in_31 : i8
      linalg.yield %1 : i8
    } -> tensor<15xi8>
    %constant_6_12 = tensor.expand_shape %constant_6_11 [[0, 1]] output_shape [3, 5] : tensor<15xi8> into tensor<3x5xi8>
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<4xi32>
    %quantize_default_13 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_31 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_31 : i32
    } -> tensor<4xi32>
    %quantize_default_14 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_31 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_31 : i32
    } -> tensor<4xi32>
    %quantize_default_15 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_31 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_31 : i32
    } -> tensor<4xi32>
    %quantize_default_16 = tensor.empty() : tensor<1x4x5xi8>
    %quantize_default_17 = linalg.generic {indexing_maps = [#map3, #map4, #map4, #map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %quantize_default_13, %quantize_default_14, %quantize_default_15 : tensor<1x4x5xi16>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) outs(%quantize_default_16 : tensor<1x4x5xi8>) {
    ^bb0(%in: i16, %in_31: i32, %in_32: i32, %in_33: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_31 : i32
      %3 = arith.addi %2, %in_32 : i32
      %4 = arith.shrsi %3, %in_33 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x4x5xi8>
    %linear_default = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_31 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_31 : i32
    } -> tensor<4xi32>
    %linear_default_18 = linalg.generic {indexing_maps = [#map3, #map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%quantize_default_17, %linear_default : tensor<1x4x5xi8>, tensor<4xi32>) outs(%quantize_default_16 : tensor<1x4x5xi8>) {
    ^bb0(%in: i8, %in_31: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_31 : i32
      %3 = arith.trunci %2 : i32 to i8
      linalg.yield %3 : i8
    } -> tensor<1x4x5xi8>
    %linear_default_19 = tensor.collapse_shape %linear_default_18 [[0, 1], [2]] : tensor<1x4x5xi8> into tensor<4x5xi8>
    %linear_default_20 = tensor.empty() : tensor<4x3xi32>
    %linear_default_21 = linalg.fill ins(%c0_i32 : i32) outs(%linear_default_20 : tensor<4x3xi32>) -> tensor<4x3xi32>
    %linear_default_22 = linalg.matmul indexing_maps = [#map5, #map6, #map7] ins(%linear_default_19, %constant_6_12 : tensor<4x5xi8>, tensor<3x5xi8>) outs(%linear_default_21 : tensor<4x3xi32>) -> tensor<4x3xi32>
    %linear_default_23 = tensor.empty() : tensor<3xi32>
    %linear_default_24 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%constant_7 : tensor<3xi32>) outs(%linear_default_23 : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_31 = tensor.extract %constant_8[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_31 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      %6 = arith.trunci %5 : i64 to i32
      linalg.yield %6 : i32
    } -> tensor<3xi32>
    %linear_default_25 = tensor.empty() : tensor<3xi64>
    %linear_default_26 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%constant_10 : tensor<3xi32>) outs(%linear_default_25 : tensor<3xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_31 = tensor.extract %constant_11[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_31 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_32 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_32 : i32 to i64
      %5 = arith.subi %4, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %extracted_33 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_33 : i32 to i64
      %8 = arith.subi %7, %c1_i64 : i64
      %9 = arith.shli %c1_i64, %8 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.shrsi %10, %7 : i64
      %12 = arith.addi %11, %6 : i64
      linalg.yield %12 : i64
    } -> tensor<3xi64>
    %linear_default_27 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_31 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_31 : i32
    } -> tensor<4xi32>
    %linear_default_28 = tensor.empty() : tensor<4x3xi16>
    %linear_default_29 = linalg.generic {indexing_maps = [#map1, #map8, #map8, #map, #map1], iterator_types = ["parallel", "parallel"]} ins(%linear_default_22, %linear_default_24, %linear_default_26, %linear_default_27 : tensor<4x3xi32>, tensor<3xi32>, tensor<3xi64>, tensor<4xi32>) outs(%linear_default_28 : tensor<4x3xi16>) {
    ^bb0(%in: i32, %in_31: i32, %in_32: i64, %in_33: i32, %out: i16):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_33 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.extsi %in_31 : i32 to i64
      %5 = arith.muli %3, %4 : i64
      %6 = arith.addi %5, %in_32 : i64
      %extracted_34 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_34 : i32 to i64
      %8 = arith.shrsi %6, %7 : i64
      %9 = arith.maxsi %8, %c-32768_i64 : i64
      %10 = arith.minsi %9, %c32767_i64 : i64
      %11 = arith.trunci %10 : i64 to i16
      linalg.yield %11 : i16
    } -> tensor<4x3xi16>
    %linear_default_30 = tensor.expand_shape %linear_default_29 [[0, 1], [2]] output_shape [1, 4, 3] : tensor<4x3xi16> into tensor<1x4x3xi16>
    return %linear_default_30 : tensor<1x4x3xi16>
  }
}
