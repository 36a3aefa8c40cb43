#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d2)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d1)>
module {
  func.func @main(%x: tensor<1x2x4x2xi16>, %step: tensor<i64>) -> tensor<1x2x3x2xi16> {
    %group = arith.constant dense<[0, 1, 0, 0]> : tensor<4xi32>
    %constant_4 = arith.constant dense<[[53, 68], [14, -3]]> : tensor<2x2xi32>
    %constant_5 = arith.constant dense<[[1, 1], [6, 4]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[178417, 145700]> : tensor<2xi32>
    %constant_12 = arith.constant dense<[29, 27]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[1753088, 4489216], [15204352, -327680]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c63_i32 = arith.constant 63 : i32
    %c8388608_i32 = arith.constant 8388608 : i32
    %c4095_i32 = arith.constant 4095 : i32
    %c12_i32 = arith.constant 12 : i32
    %c1_i64 = arith.constant 1 : i64
    %c4096_i64 = arith.constant 4096 : i64
    %c128_i64 = arith.constant 128 : i64
    %c8_i64 = arith.constant 8 : i64
    %c15_i64 = arith.constant 15 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %attend_default = arith.constant dense<[[[6, 7, 23, 14], [24, 17, 5, 25], [13, 8, 9, 20]], [[19, 16, 19, 5], [30, 15, 15, 0], [18, 3, 24, 17]]]> : tensor<2x3x4xi8>
    %attend_default_0 = arith.constant dense<[[27245, 28206, 25437], [21874, 17011, 32710]]> : tensor<2x3xi32>
    %attend_default_1 = arith.constant dense<[[1, 10, 14], [2, 12, 1]]> : tensor<2x3xi32>
    %attend_default_2 = arith.constant dense<[[20210, 3217, 29864], [28190, 25393, 6808]]> : tensor<2x3xi32>
    %c14_i64 = arith.constant 14 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<4xi32>
    %quantize_default_3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_23 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_23 : i32
    } -> tensor<4xi32>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_23 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_23 : i32
    } -> tensor<4xi32>
    %quantize_default_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_23 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_23 : i32
    } -> tensor<4xi32>
    %quantize_default_6 = tensor.empty() : tensor<1x2x4x2xi8>
    %quantize_default_7 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %quantize_default_3, %quantize_default_4, %quantize_default_5 : tensor<1x2x4x2xi16>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) outs(%quantize_default_6 : tensor<1x2x4x2xi8>) {
    ^bb0(%in: i16, %in_23: i32, %in_24: i32, %in_25: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_23 : i32
      %3 = arith.addi %2, %in_24 : i32
      %4 = arith.shrsi %3, %in_25 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x4x2xi8>
    %attend_default_8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_23 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_23 : i32
    } -> tensor<4xi32>
    %attend_default_9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_23 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_23 : i32
    } -> tensor<4xi32>
    %attend_default_10 = tensor.empty() : tensor<1x2x4x2xi16>
    %attend_default_11 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_7, %attend_default_8, %attend_default_9 : tensor<1x2x4x2xi8>, tensor<4xi32>, tensor<4xi32>) outs(%attend_default_10 : tensor<1x2x4x2xi16>) {
    ^bb0(%in: i8, %in_23: i32, %in_24: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_23 : i32
      %3 = arith.muli %2, %in_24 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<1x2x4x2xi16>
    %attend_default_12 = tensor.collapse_shape %attend_default_11 [[0, 1], [2], [3]] : tensor<1x2x4x2xi16> into tensor<2x4x2xi16>
    %attend_default_13 = tensor.empty() : tensor<2x3x4xi16>
    %attend_default_14 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_13 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.shrsi %c8388608_i32, %1 : i32
      %3 = arith.andi %2, %c4095_i32 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_15 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_13 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.shrsi %c8388608_i32, %1 : i32
      %3 = arith.shrsi %2, %c12_i32 : i32
      %4 = arith.andi %3, %c4095_i32 : i32
      %5 = arith.trunci %4 : i32 to i16
      linalg.yield %5 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_16 = tensor.empty() : tensor<2x3x2xi32>
    %attend_default_17 = linalg.fill ins(%c0_i32 : i32) outs(%attend_default_16 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_18 = linalg.batch_matmul ins(%attend_default_14, %attend_default_12 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_19 = linalg.batch_matmul ins(%attend_default_15, %attend_default_12 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_20 = tensor.empty() : tensor<2x3x2xi16>
    %attend_default_21 = linalg.generic {indexing_maps = [#map3, #map3, #map4, #map4, #map4, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default_18, %attend_default_19, %attend_default_0, %attend_default_1, %attend_default_2 : tensor<2x3x2xi32>, tensor<2x3x2xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x3xi32>) outs(%attend_default_20 : tensor<2x3x2xi16>) {
    ^bb0(%in: i32, %in_23: i32, %in_24: i32, %in_25: i32, %in_26: i32, %out: i16):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_23 : i32 to i64
      %3 = arith.muli %2, %c4096_i64 : i64
      %4 = arith.addi %1, %3 : i64
      %5 = arith.addi %4, %c128_i64 : i64
      %6 = arith.shrsi %5, %c8_i64 : i64
      %7 = arith.extsi %in_24 : i32 to i64
      %8 = arith.muli %6, %7 : i64
      %9 = arith.extsi %in_25 : i32 to i64
      %10 = arith.addi %9, %c15_i64 : i64
      %11 = arith.addi %9, %c14_i64 : i64
      %12 = arith.shli %c1_i64, %11 : i64
      %13 = arith.addi %8, %12 : i64
      %14 = arith.shrsi %13, %10 : i64
      %extracted_27 = tensor.extract %constant_11[%0] : tensor<2xi32>
      %15 = arith.extsi %extracted_27 : i32 to i64
      %extracted_28 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %16 = arith.extsi %extracted_28 : i32 to i64
      %17 = arith.muli %14, %15 : i64
      %18 = arith.subi %16, %c1_i64 : i64
      %19 = arith.shli %c1_i64, %18 : i64
      %20 = arith.addi %17, %19 : i64
      %21 = arith.shrsi %20, %16 : i64
      %22 = arith.maxsi %21, %c-32768_i64 : i64
      %23 = arith.minsi %22, %c32767_i64 : i64
      %24 = arith.trunci %23 : i64 to i16
      linalg.yield %24 : i16
    } -> tensor<2x3x2xi16>
    %attend_default_22 = tensor.expand_shape %attend_default_21 [[0, 1], [2], [3]] output_shape [1, 2, 3, 2] : tensor<2x3x2xi16> into tensor<1x2x3x2xi16>
    return %attend_default_22 : tensor<1x2x3x2xi16>
  }
}
