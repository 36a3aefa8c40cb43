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
    %constant_5 = arith.constant dense<[[2, 3], [1, 1]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[120980, 109894]> : tensor<2xi32>
    %constant_12 = arith.constant dense<[29, 39]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[5947392, 13664256], [134742016, 14352384]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c255_i32 = arith.constant 255 : i32
    %c8_i32 = arith.constant 8 : i32
    %c32768_i32 = arith.constant 32768 : i32
    %c256_i32 = arith.constant 256 : i32
    %c15_i64 = arith.constant 15 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %attend_default = arith.constant dense<[[[10, 1, 6, 7], [7, 14, 8, 1], [5, 9, 13, 8]], [[9, 4, 3, 0], [3, 5, 14, 15], [15, 0, 2, 3]]]> : tensor<2x3x4xi8>
    %attend_default_0 = arith.constant dense<[[30095, 18588, 27245], [28206, 25437, 21874]]> : tensor<2x3xi32>
    %attend_default_1 = arith.constant dense<[[3, 12, 1], [10, 14, 2]]> : tensor<2x3xi32>
    %attend_default_2 = arith.constant dense<[[28376, 7610, 20210], [3217, 29864, 28190]]> : tensor<2x3xi32>
    %c14_i64 = arith.constant 14 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<2xi32>
    %quantize_default_3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_26 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_26 : i32
    } -> tensor<2xi32>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_26 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_26 : i32
    } -> tensor<2xi32>
    %quantize_default_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_26 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_26 : i32
    } -> tensor<2xi32>
    %quantize_default_6 = tensor.empty() : tensor<1x2x5x2xi8>
    %quantize_default_7 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %quantize_default_3, %quantize_default_4, %quantize_default_5 : tensor<1x2x5x2xi16>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) outs(%quantize_default_6 : tensor<1x2x5x2xi8>) {
    ^bb0(%in: i16, %in_26: i32, %in_27: i32, %in_28: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_26 : i32
      %3 = arith.addi %2, %in_27 : i32
      %4 = arith.shrsi %3, %in_28 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x5x2xi8>
    %attend_default_8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_26 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_26 : i32
    } -> tensor<2xi32>
    %attend_default_9 = tensor.empty() : tensor<1x2x5x2xi16>
    %attend_default_10 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_7, %attend_default_8 : tensor<1x2x5x2xi8>, tensor<2xi32>) outs(%attend_default_9 : tensor<1x2x5x2xi16>) {
    ^bb0(%in: i8, %in_26: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_26 : i32
      %3 = arith.trunci %2 : i32 to i16
      linalg.yield %3 : i16
    } -> tensor<1x2x5x2xi16>
    %attend_default_11 = tensor.collapse_shape %attend_default_10 [[0, 1], [2], [3]] : tensor<1x2x5x2xi16> into tensor<2x5x2xi16>
    %attend_default_12 = tensor.extract_slice %attend_default_11[0, 1, 0] [2, 4, 2] [1, 1, 1] : tensor<2x5x2xi16> to tensor<2x4x2xi16>
    %attend_default_13 = tensor.empty() : tensor<2x3x4xi16>
    %attend_default_14 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_13 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.shrsi %c32768_i32, %1 : i32
      %3 = arith.andi %2, %c255_i32 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_15 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default : tensor<2x3x4xi8>) outs(%attend_default_13 : tensor<2x3x4xi16>) {
    ^bb0(%in: i8, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.shrsi %c32768_i32, %1 : i32
      %3 = arith.shrsi %2, %c8_i32 : i32
      %4 = arith.andi %3, %c255_i32 : i32
      %5 = arith.trunci %4 : i32 to i16
      linalg.yield %5 : i16
    } -> tensor<2x3x4xi16>
    %attend_default_16 = tensor.empty() : tensor<2x3x2xi32>
    %attend_default_17 = linalg.fill ins(%c0_i32 : i32) outs(%attend_default_16 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_18 = linalg.batch_matmul ins(%attend_default_14, %attend_default_12 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_19 = linalg.batch_matmul ins(%attend_default_15, %attend_default_12 : tensor<2x3x4xi16>, tensor<2x4x2xi16>) outs(%attend_default_17 : tensor<2x3x2xi32>) -> tensor<2x3x2xi32>
    %attend_default_20 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<2xi32>) outs(%quantize_default : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_26 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_26 : i32
    } -> tensor<2xi32>
    %attend_default_21 = tensor.extract_slice %attend_default_11[0, 0, 0] [2, 1, 2] [1, 1, 1] : tensor<2x5x2xi16> to tensor<2x1x2xi16>
    %attend_default_22 = tensor.collapse_shape %attend_default_21 [[0], [1, 2]] : tensor<2x1x2xi16> into tensor<2x2xi16>
    %attend_default_23 = tensor.empty() : tensor<2x3x2xi16>
    %attend_default_24 = linalg.generic {indexing_maps = [#map3, #map3, #map4, #map5, #map5, #map5, #map6, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%attend_default_18, %attend_default_19, %attend_default_20, %attend_default_0, %attend_default_1, %attend_default_2, %attend_default_22 : tensor<2x3x2xi32>, tensor<2x3x2xi32>, tensor<2xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x3xi32>, tensor<2x2xi16>) outs(%attend_default_23 : tensor<2x3x2xi16>) {
    ^bb0(%in: i32, %in_26: i32, %in_27: i32, %in_28: i32, %in_29: i32, %in_30: i32, %in_31: i16, %out: i16):
      %1 = arith.muli %in_26, %c256_i32 : i32
      %2 = arith.addi %in, %1 : i32
      %3 = arith.extsi %2 : i32 to i64
      %4 = arith.extsi %in_27 : i32 to i64
      %5 = arith.muli %3, %4 : i64
      %6 = arith.extsi %in_28 : i32 to i64
      %7 = arith.muli %5, %6 : i64
      %8 = arith.extsi %in_29 : i32 to i64
      %9 = arith.addi %8, %c15_i64 : i64
      %10 = arith.addi %8, %c14_i64 : i64
      %11 = arith.shli %c1_i64, %10 : i64
      %12 = arith.addi %7, %11 : i64
      %13 = arith.shrsi %12, %9 : i64
      %14 = arith.extsi %in_31 : i16 to i64
      %15 = arith.extsi %in_30 : i32 to i64
      %16 = arith.muli %14, %4 : i64
      %17 = arith.muli %15, %16 : i64
      %18 = arith.addi %13, %17 : i64
      %extracted_32 = tensor.extract %constant_11[%0] : tensor<2xi32>
      %19 = arith.extsi %extracted_32 : i32 to i64
      %extracted_33 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %20 = arith.extsi %extracted_33 : i32 to i64
      %21 = arith.muli %18, %19 : i64
      %22 = arith.subi %20, %c1_i64 : i64
      %23 = arith.shli %c1_i64, %22 : i64
      %24 = arith.addi %21, %23 : i64
      %25 = arith.shrsi %24, %20 : i64
      %26 = arith.maxsi %25, %c-32768_i64 : i64
      %27 = arith.minsi %26, %c32767_i64 : i64
      %28 = arith.trunci %27 : i64 to i16
      linalg.yield %28 : i16
    } -> tensor<2x3x2xi16>
    %attend_default_25 = tensor.expand_shape %attend_default_24 [[0, 1], [2], [3]] output_shape [1, 2, 3, 2] : tensor<2x3x2xi16> into tensor<1x2x3x2xi16>
    return %attend_default_25 : tensor<1x2x3x2xi16>
  }
}
