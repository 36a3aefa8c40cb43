#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d3)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d2)>
module {
  func.func @main(%x: tensor<1x2x5x2xi16>, %step: tensor<i64>) -> tensor<1x2x3x2xi16> {
    %group = arith.constant dense<[0, 1]> : tensor<2xi32>
    %constant_4 = arith.constant dense<[[181, 208], [128, 109]]> : tensor<2x2xi32>
    %shares = arith.constant dense<[0, 0, 0, 0, 0, 0, 0, 0, 128, 64, 32, 16, 8, 4, 2, 1]> : tensor<16xi16>
    %shares_0 = arith.constant dense<[128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<16xi16>
    %constant_5 = arith.constant dense<[[2, 3], [1, 1]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[120980, 109894]> : tensor<2xi32>
    %constant_12 = arith.constant dense<[29, 39]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[5947392, 13664256], [134742016, 14352384]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c255_i32 = arith.constant 255 : i32
    %c8_i64 = arith.constant 8 : i64
    %c15_i64 = arith.constant 15 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %attend_default = arith.constant dense<[[[10, 1, 6, 7], [7, 14, 8, 1], [5, 9, 13, 8]], [[9, 4, 3, 0], [3, 5, 14, 15], [15, 0, 2, 3]]]> : tensor<2x3x4xi8>
    %attend_default_1 = arith.constant dense<[[30095, 18588, 27245], [28206, 25437, 21874]]> : tensor<2x3xi32>
    %attend_default_2 = arith.constant dense<[[3, 12, 1], [10, 14, 2]]> : tensor<2x3xi32>
    %attend_default_3 = arith.constant dense<[[28376, 7610, 20210], [3217, 29864, 28190]]> : tensor<2x3xi32>
    %c14_i64 = arith.constant 14 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<2xi32>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_27 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_27 : i32
    } -> tensor<2xi32>
    %quantize_default_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_27 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_27 : i32
    } -> tensor<2xi32>
    %quantize_default_6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_27 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_27 : i32
    } -> tensor<2xi32>
    %quantize_default_7 = tensor.empty() : tensor<1x2x5x2xi8>
    %quantize_default_8 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %quantize_default_4, %quantize_default_5, %quantize_default_6 : tensor<1x2x5x2xi16>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) outs(%quantize_default_7 : tensor<1x2x5x2xi8>) {
    ^bb0(%in: i16, %in_27: i32, %in_28: i32, %in_29: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_27 : i32
      %3 = arith.addi %2, %in_28 : i32
      %4 = arith.shrsi %3, %in_29 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x5x2xi8>
    %attend_default_9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_27 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_27 : i32
    } -> tensor<2xi32>
    %attend_default_10 = tensor.empty() : tensor<1x2x5x2xi16>
    %attend_default_11 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_8, %attend_default_9 : tensor<1x2x5x2xi8>, tensor<2xi32>) outs(%attend_default_10 : tensor<1x2x5x2xi16>) {
    ^bb0(%in: i8, %in_27: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_27 : i32
      %3 = arith.trunci %2 : i32 to i16
      linalg.yield %3 : i16
    } -> tensor<1x2x5x2xi16>
    %attend_default_12 = tensor.collapse_shape %attend_default_11 [[0, 1], [2], [3]] : tensor<1x2x5x2xi16> into tensor<2x5x2xi16>
    %attend_default_13 = tensor.extract_slice %attend_default_12[0, 1, 0] [2, 4, 2] [1, 1, 1] : tensor<2x5x2xi16> to tensor<2x4x2xi16>
    %attend_default_14 = tensor.empty() : tensor<2x3x4xi16>
    %attend_default_15 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_14 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.index_cast %1 : i32 to index
      %extracted_27 = tensor.extract %shares[%2] : tensor<16xi16>
      linalg.yield %extracted_27 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_16 = tensor.empty() : tensor<2x3x2xi32>
    %attend_default_17 = linalg.fill ins(%c0_i32 : i32) outs(%attend_default_16 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_18 = linalg.batch_matmul ins(%attend_default_15, %attend_default_13 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_19 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_14 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.index_cast %1 : i32 to index
      %extracted_27 = tensor.extract %shares_0[%2] : tensor<16xi16>
      linalg.yield %extracted_27 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_20 = linalg.batch_matmul ins(%attend_default_19, %attend_default_13 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_21 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_27 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_27 : i32
    } -> tensor<2xi32>
    %attend_default_22 = tensor.extract_slice %attend_default_12[0, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<2x5x2xi16> to tensor<2x1x2xi16>
    %attend_default_23 = tensor.collapse_shape %attend_default_22 [[0], [1, 2]] : tensor<2x1x2xi16> into tensor<2x2xi16>
    %attend_default_24 = tensor.empty() : tensor<2x3x2xi16>
    %attend_default_25 = linalg.generic {indexing_maps = [#map3, #map3, #map4, #map5, #map5, #map5, #map6, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default_18, %attend_default_20, %attend_default_21, %attend_default_1, %attend_default_2, %attend_default_3, %attend_default_23 : tensor<2x3x2xi32>, tensor<2x3x2xi32>, tensor<2xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x2xi16>) outs(%attend_default_24 : tensor<2x3x2xi16>) {
    ^bb0(%in: i32, %in_27: i32, %in_28: i32, %in_29: i32, %in_30: i32, %in_31: i32, %in_32: i16, %out: i16):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_27 : i32 to i64
      %3 = arith.shli %2, %c8_i64 : i64
      %4 = arith.addi %1, %3 : i64
      %5 = arith.extsi %in_28 : i32 to i64
      %6 = arith.muli %4, %5 : i64
      %7 = arith.extsi %in_29 : i32 to i64
      %8 = arith.muli %6, %7 : i64
      %9 = arith.extsi %in_30 : i32 to i64
      %10 = arith.addi %9, %c15_i64 : i64
      %11 = arith.addi %9, %c14_i64 : i64
      %12 = arith.shli %c1_i64, %11 : i64
      %13 = arith.addi %8, %12 : i64
      %14 = arith.shrsi %13, %10 : i64
      %15 = arith.extsi %in_32 : i16 to i64
      %16 = arith.muli %15, %5 : i64
      %17 = arith.extsi %in_31 : i32 to i64
      %18 = arith.muli %17, %16 : i64
      %19 = arith.addi %14, %18 : i64
      %extracted_33 = tensor.extract %constant_11[%0] : tensor<2xi32>
      %20 = arith.extsi %extracted_33 : i32 to i64
      %extracted_34 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %21 = arith.extsi %extracted_34 : i32 to i64
      %22 = arith.muli %19, %20 : i64
      %23 = arith.subi %21, %c1_i64 : i64
      %24 = arith.shli %c1_i64, %23 : i64
      %25 = arith.addi %22, %24 : i64
      %26 = arith.shrsi %25, %21 : i64
      %27 = arith.maxsi %26, %c-32768_i64 : i64
      %28 = arith.minsi %27, %c32767_i64 : i64
      %29 = arith.trunci %28 : i64 to i16
      linalg.yield %29 : i16
    } -> tensor<2x3x2xi16>
    %attend_default_26 = tensor.expand_shape %attend_default_25 [[0, 1], [2], [3]] output_shape [1, 2, 3, 2] : tensor<2x3x2xi16> into tensor<1x2x3x2xi16>
    return %attend_default_26 : tensor<1x2x3x2xi16>
  }
}
