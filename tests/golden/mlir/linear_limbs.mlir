#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d2)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
#map7 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x2x5xi16>, %step: tensor<i64>) -> tensor<1x2x3xi16> {
    %group = arith.constant dense<[0, 1, 0, 0, 0]> : tensor<5xi32>
    %constant_4 = arith.constant dense<[[181, 208], [128, 109]]> : tensor<2x2xi32>
    %constant_5 = arith.constant dense<[[269, 395], [34, 327]]> : tensor<2x2xi32>
    %constant_6 = arith.constant dense<[[-89, -41, 46, -40, -47], [37, -103, -51, -56, -119], [20, -13, 80, 115, 69]]> : tensor<3x5xi8>
    %constant_7 = arith.constant dense<[602801999, 1589512640, 2034131043]> : tensor<3xi32>
    %constant_8 = arith.constant dense<[26584980, 34110573]> : tensor<2xi32>
    %constant_10 = arith.constant dense<[-174338264, 1455594806, -1194255133]> : tensor<3xi32>
    %constant_11 = arith.constant dense<[81972487, 169953969]> : tensor<2xi32>
    %constant_9 = arith.constant dense<[37, 35]> : tensor<2xi32>
    %constant_12 = arith.constant dense<[23, 19]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[5947392, 13664256], [134742016, 14352384]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c255_i32 = arith.constant 255 : i32
    %c-8421504_i32 = arith.constant -8421504 : i32
    %c128_i32 = arith.constant 128 : i32
    %c8_i32 = arith.constant 8 : i32
    %c16_i32 = arith.constant 16 : i32
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c1_i64 = arith.constant 1 : i64
    %c256_i32 = arith.constant 256 : i32
    %c65536_i32 = arith.constant 65536 : i32
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<5xi32>
    %quantize_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<5xi32>) outs(%quantize_default : tensor<5xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<5xi32>
    %quantize_default_1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<5xi32>) outs(%quantize_default : tensor<5xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<5xi32>
    %quantize_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<5xi32>) outs(%quantize_default : tensor<5xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<5xi32>
    %quantize_default_3 = tensor.empty() : tensor<1x2x5xi8>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %quantize_default_0, %quantize_default_1, %quantize_default_2 : tensor<1x2x5xi16>, tensor<5xi32>, tensor<5xi32>, tensor<5xi32>) outs(%quantize_default_3 : tensor<1x2x5xi8>) {
    ^bb0(%in: i16, %in_24: i32, %in_25: i32, %in_26: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_24 : i32
      %3 = arith.addi %2, %in_25 : i32
      %4 = arith.shrsi %3, %in_26 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x5xi8>
    %linear_default = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<5xi32>) outs(%quantize_default : tensor<5xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<5xi32>
    %linear_default_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<5xi32>) outs(%quantize_default : tensor<5xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<5xi32>
    %linear_default_6 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%quantize_default_4, %linear_default, %linear_default_5 : tensor<1x2x5xi8>, tensor<5xi32>, tensor<5xi32>) outs(%quantize_default_3 : tensor<1x2x5xi8>) {
    ^bb0(%in: i8, %in_24: i32, %in_25: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_24 : i32
      %3 = arith.muli %2, %in_25 : i32
      %4 = arith.subi %3, %c-8421504_i32 : i32
      %5 = arith.xori %4, %c128_i32 : i32
      %6 = arith.trunci %5 : i32 to i8
      linalg.yield %6 : i8
    } -> tensor<1x2x5xi8>
    %linear_default_7 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%quantize_default_4, %linear_default, %linear_default_5 : tensor<1x2x5xi8>, tensor<5xi32>, tensor<5xi32>) outs(%quantize_default_3 : tensor<1x2x5xi8>) {
    ^bb0(%in: i8, %in_24: i32, %in_25: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_24 : i32
      %3 = arith.muli %2, %in_25 : i32
      %4 = arith.subi %3, %c-8421504_i32 : i32
      %5 = arith.shrsi %4, %c8_i32 : i32
      %6 = arith.xori %5, %c128_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x5xi8>
    %linear_default_8 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%quantize_default_4, %linear_default, %linear_default_5 : tensor<1x2x5xi8>, tensor<5xi32>, tensor<5xi32>) outs(%quantize_default_3 : tensor<1x2x5xi8>) {
    ^bb0(%in: i8, %in_24: i32, %in_25: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_24 : i32
      %3 = arith.muli %2, %in_25 : i32
      %4 = arith.subi %3, %c-8421504_i32 : i32
      %5 = arith.shrsi %4, %c16_i32 : i32
      %6 = arith.xori %5, %c128_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x5xi8>
    %linear_default_9 = tensor.collapse_shape %linear_default_6 [[0, 1], [2]] : tensor<1x2x5xi8> into tensor<2x5xi8>
    %linear_default_10 = tensor.collapse_shape %linear_default_7 [[0, 1], [2]] : tensor<1x2x5xi8> into tensor<2x5xi8>
    %linear_default_11 = tensor.collapse_shape %linear_default_8 [[0, 1], [2]] : tensor<1x2x5xi8> into tensor<2x5xi8>
    %linear_default_12 = tensor.empty() : tensor<2x3xi32>
    %linear_default_13 = linalg.fill ins(%c0_i32 : i32) outs(%linear_default_12 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_14 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%linear_default_9, %constant_6 : tensor<2x5xi8>, tensor<3x5xi8>) outs(%linear_default_13 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_15 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%linear_default_10, %constant_6 : tensor<2x5xi8>, tensor<3x5xi8>) outs(%linear_default_13 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_16 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%linear_default_11, %constant_6 : tensor<2x5xi8>, tensor<3x5xi8>) outs(%linear_default_13 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_17 = tensor.empty() : tensor<3xi32>
    %linear_default_18 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%constant_7 : tensor<3xi32>) outs(%linear_default_17 : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_24 = tensor.extract %constant_8[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_24 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      %6 = arith.trunci %5 : i64 to i32
      linalg.yield %6 : i32
    } -> tensor<3xi32>
    %linear_default_19 = tensor.empty() : tensor<3xi64>
    %linear_default_20 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%constant_10 : tensor<3xi32>) outs(%linear_default_19 : tensor<3xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_24 = tensor.extract %constant_11[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_24 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_25 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_25 : i32 to i64
      %5 = arith.subi %4, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %extracted_26 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_26 : i32 to i64
      %8 = arith.subi %7, %c1_i64 : i64
      %9 = arith.shli %c1_i64, %8 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.shrsi %10, %7 : i64
      %12 = arith.addi %11, %6 : i64
      linalg.yield %12 : i64
    } -> tensor<3xi64>
    %linear_default_21 = tensor.empty() : tensor<2x3xi16>
    %linear_default_22 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map7, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%linear_default_14, %linear_default_15, %linear_default_16, %linear_default_18, %linear_default_20 : tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<3xi32>, tensor<3xi64>) outs(%linear_default_21 : tensor<2x3xi16>) {
    ^bb0(%in: i32, %in_24: i32, %in_25: i32, %in_26: i32, %in_27: i64, %out: i16):
      %1 = arith.muli %in_24, %c256_i32 : i32
      %2 = arith.muli %in_25, %c65536_i32 : i32
      %3 = arith.addi %in, %1 : i32
      %4 = arith.addi %3, %2 : i32
      %5 = arith.extsi %4 : i32 to i64
      %6 = arith.extsi %in_26 : i32 to i64
      %7 = arith.muli %5, %6 : i64
      %8 = arith.addi %7, %in_27 : i64
      %extracted_28 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %9 = arith.extsi %extracted_28 : i32 to i64
      %10 = arith.shrsi %8, %9 : i64
      %11 = arith.maxsi %10, %c-32768_i64 : i64
      %12 = arith.minsi %11, %c32767_i64 : i64
      %13 = arith.trunci %12 : i64 to i16
      linalg.yield %13 : i16
    } -> tensor<2x3xi16>
    %linear_default_23 = tensor.expand_shape %linear_default_22 [[0, 1], [2]] output_shape [1, 2, 3] : tensor<2x3xi16> into tensor<1x2x3xi16>
    return %linear_default_23 : tensor<1x2x3xi16>
  }
}
