#map = affine_map<(d0, d1) -> (d0)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map6 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map8 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x2x6xi16>, %step: tensor<i64>) -> tensor<1x2x3xi16> {
    %constant_7 = arith.constant dense<[81, 16, -68, -72, 109, 119, -88, 11, -71]> : tensor<9xi8>
    %constant_8 = arith.constant dense<[1204863635, 507984782, 600956192]> : tensor<3xi32>
    %constant_9 = arith.constant dense<[50282384, 28495101]> : tensor<2xi32>
    %constant_11 = arith.constant dense<[-942900159, 88345535, 1022872379]> : tensor<3xi32>
    %constant_12 = arith.constant dense<[266566140, 117714367]> : tensor<2xi32>
    %constant_10 = arith.constant dense<[43, 41]> : tensor<2xi32>
    %constant_13 = arith.constant dense<[24, 22]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[1753088, 4489216], [15204352, -327680]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %constant_6 = arith.constant dense<[5, 0, 2, 1, 3, 4]> : tensor<6xi32>
    %c2_i8 = arith.constant 2 : i8
    %c4_i8 = arith.constant 4 : i8
    %constant_5 = arith.constant dense<[[6, 4], [9, 3]]> : tensor<2x2xi32>
    %constant_4 = arith.constant dense<[[53, 68], [14, -3]]> : tensor<2x2xi32>
    %group = arith.constant dense<[0, 1, 0, 0, 0, 0]> : tensor<6xi32>
    %c0_i32 = arith.constant 0 : i32
    %c63_i32 = arith.constant 63 : i32
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %c0 = arith.constant 0 : index
    %constant_7_0 = tensor.empty() : tensor<9x2xi8>
    %constant_7_1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%constant_7 : tensor<9xi8>) outs(%constant_7_0 : tensor<9x2xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = linalg.index 1 : index
      %2 = arith.index_cast %1 : index to i8
      %3 = arith.shli %2, %c2_i8 : i8
      %4 = arith.subi %c4_i8, %3 : i8
      %5 = arith.shli %in, %4 : i8
      %6 = arith.shrsi %5, %c4_i8 : i8
      linalg.yield %6 : i8
    } -> tensor<9x2xi8>
    %constant_7_2 = tensor.collapse_shape %constant_7_1 [[0, 1]] : tensor<9x2xi8> into tensor<18xi8>
    %constant_7_3 = tensor.expand_shape %constant_7_2 [[0, 1]] output_shape [3, 6] : tensor<18xi8> into tensor<3x6xi8>
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<6xi32>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<6xi32>) outs(%quantize_default : tensor<6xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_25 : i32
    } -> tensor<6xi32>
    %quantize_default_5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<6xi32>) outs(%quantize_default : tensor<6xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_25 : i32
    } -> tensor<6xi32>
    %quantize_default_6 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<6xi32>) outs(%quantize_default : tensor<6xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_25 : i32
    } -> tensor<6xi32>
    %quantize_default_7 = tensor.empty() : tensor<1x2x6xi8>
    %quantize_default_8 = linalg.generic {indexing_maps = [#map3, #map4, #map4, #map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %quantize_default_4, %quantize_default_5, %quantize_default_6 : tensor<1x2x6xi16>, tensor<6xi32>, tensor<6xi32>, tensor<6xi32>) outs(%quantize_default_7 : tensor<1x2x6xi8>) {
    ^bb0(%in: i16, %in_25: i32, %in_26: i32, %in_27: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_25 : i32
      %3 = arith.addi %2, %in_26 : i32
      %4 = arith.shrsi %3, %in_27 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x6xi8>
    %gather_default = linalg.generic {indexing_maps = [#map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%constant_6 : tensor<6xi32>) outs(%quantize_default_7 : tensor<1x2x6xi8>) {
    ^bb0(%in: i32, %out: i8):
      %1 = linalg.index 1 : index
      %2 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %quantize_default_8[%c0, %1, %2] : tensor<1x2x6xi8>
      linalg.yield %extracted_25 : i8
    } -> tensor<1x2x6xi8>
    %linear_default = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<6xi32>) outs(%quantize_default : tensor<6xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_25 : i32
    } -> tensor<6xi32>
    %linear_default_9 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%group : tensor<6xi32>) outs(%quantize_default : tensor<6xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_25 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_25 : i32
    } -> tensor<6xi32>
    %linear_default_10 = tensor.empty() : tensor<1x2x6xi16>
    %linear_default_11 = linalg.generic {indexing_maps = [#map3, #map4, #map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%gather_default, %linear_default, %linear_default_9 : tensor<1x2x6xi8>, tensor<6xi32>, tensor<6xi32>) outs(%linear_default_10 : tensor<1x2x6xi16>) {
    ^bb0(%in: i8, %in_25: i32, %in_26: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_25 : i32
      %3 = arith.muli %2, %in_26 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<1x2x6xi16>
    %linear_default_12 = tensor.collapse_shape %linear_default_11 [[0, 1], [2]] : tensor<1x2x6xi16> into tensor<2x6xi16>
    %linear_default_13 = tensor.empty() : tensor<2x3xi32>
    %linear_default_14 = linalg.fill ins(%c0_i32 : i32) outs(%linear_default_13 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_15 = tensor.empty() : tensor<3x6xi16>
    %linear_default_16 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%constant_7_3 : tensor<3x6xi8>) outs(%linear_default_15 : tensor<3x6xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extsi %in : i8 to i16
      linalg.yield %1 : i16
    } -> tensor<3x6xi16>
    %linear_default_17 = linalg.matmul indexing_maps = [#map5, #map6, #map7] ins(%linear_default_12, %linear_default_16 : tensor<2x6xi16>, tensor<3x6xi16>) outs(%linear_default_14 : tensor<2x3xi32>) -> tensor<2x3xi32>
    %linear_default_18 = tensor.empty() : tensor<3xi32>
    %linear_default_19 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%constant_8 : tensor<3xi32>) outs(%linear_default_18 : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_25 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_25 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      %6 = arith.trunci %5 : i64 to i32
      linalg.yield %6 : i32
    } -> tensor<3xi32>
    %linear_default_20 = tensor.empty() : tensor<3xi64>
    %linear_default_21 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%constant_11 : tensor<3xi32>) outs(%linear_default_20 : tensor<3xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_25 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_25 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_26 = tensor.extract %constant_10[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_26 : i32 to i64
      %5 = arith.subi %4, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %extracted_27 = tensor.extract %constant_13[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_27 : i32 to i64
      %8 = arith.subi %7, %c1_i64 : i64
      %9 = arith.shli %c1_i64, %8 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.shrsi %10, %7 : i64
      %12 = arith.addi %11, %6 : i64
      linalg.yield %12 : i64
    } -> tensor<3xi64>
    %linear_default_22 = tensor.empty() : tensor<2x3xi16>
    %linear_default_23 = linalg.generic {indexing_maps = [#map1, #map8, #map8, #map1], iterator_types = ["parallel", "parallel"]} ins(%linear_default_17, %linear_default_19, %linear_default_21 : tensor<2x3xi32>, tensor<3xi32>, tensor<3xi64>) outs(%linear_default_22 : tensor<2x3xi16>) {
    ^bb0(%in: i32, %in_25: i32, %in_26: i64, %out: i16):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_25 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %in_26 : i64
      %extracted_27 = tensor.extract %constant_10[%0] : tensor<2xi32>
      %5 = arith.extsi %extracted_27 : i32 to i64
      %6 = arith.shrsi %4, %5 : i64
      %7 = arith.maxsi %6, %c-32768_i64 : i64
      %8 = arith.minsi %7, %c32767_i64 : i64
      %9 = arith.trunci %8 : i64 to i16
      linalg.yield %9 : i16
    } -> tensor<2x3xi16>
    %linear_default_24 = tensor.expand_shape %linear_default_23 [[0, 1], [2]] output_shape [1, 2, 3] : tensor<2x3xi16> into tensor<1x2x3xi16>
    return %linear_default_24 : tensor<1x2x3xi16>
  }
}
