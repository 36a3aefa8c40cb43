#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d3)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
module {
  func.func @main(%a: tensor<1x1x4x3xi16>, %b: tensor<1x1x2x3xi16>, %step: tensor<i64>) -> tensor<1x1x4x2xi32> {
    %group = arith.constant dense<[0, 1, 0]> : tensor<3xi32>
    %constant_4 = arith.constant dense<[[53, 68], [14, -3]]> : tensor<2x2xi32>
    %constant_5 = arith.constant dense<[[3, 1], [1, 6]]> : tensor<2x2xi32>
    %constant_10 = arith.constant dense<[[8, -5], [66, 24]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[[2, 7], [2, 9]]> : tensor<2x2xi32>
    %constant_12 = arith.constant dense<[10034370, 10356947]> : tensor<2xi32>
    %constant_13 = arith.constant dense<[38, 21]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[1753088, 4489216], [15204352, -327680]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %constant_7 = arith.constant dense<[[538, 11086], [6217, 6922]]> : tensor<2x2xi32>
    %constant_8 = arith.constant dense<[[557056, -1179648], [17432576, 802816]]> : tensor<2x2xi32>
    %constant_9 = arith.constant dense<[[16, 18], [18, 15]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c63_i32 = arith.constant 63 : i32
    %c1_i64 = arith.constant 1 : i64
    %c-2147483648_i64 = arith.constant -2147483648 : i64
    %c2147483647_i64 = arith.constant 2147483647 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<3xi32>
    %quantize_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_3 = tensor.empty() : tensor<1x1x4x3xi8>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a, %quantize_default_0, %quantize_default_1, %quantize_default_2 : tensor<1x1x4x3xi16>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_3 : tensor<1x1x4x3xi8>) {
    ^bb0(%in: i16, %in_24: i32, %in_25: i32, %in_26: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_24 : i32
      %3 = arith.addi %2, %in_25 : i32
      %4 = arith.shrsi %3, %in_26 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x1x4x3xi8>
    %quantize_default_1_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_7[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_1_6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_8[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_1_7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_9[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %quantize_default_1_8 = tensor.empty() : tensor<1x1x2x3xi8>
    %quantize_default_1_9 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b, %quantize_default_1_5, %quantize_default_1_6, %quantize_default_1_7 : tensor<1x1x2x3xi16>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i16, %in_24: i32, %in_25: i32, %in_26: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_24 : i32
      %3 = arith.addi %2, %in_25 : i32
      %4 = arith.shrsi %3, %in_26 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_4[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %matmul_default_10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %matmul_default_11 = tensor.empty() : tensor<1x1x4x3xi16>
    %matmul_default_12 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_4, %matmul_default, %matmul_default_10 : tensor<1x1x4x3xi8>, tensor<3xi32>, tensor<3xi32>) outs(%matmul_default_11 : tensor<1x1x4x3xi16>) {
    ^bb0(%in: i8, %in_24: i32, %in_25: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_24 : i32
      %3 = arith.muli %2, %in_25 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<1x1x4x3xi16>
    %matmul_default_13 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_10[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %matmul_default_14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_24 = tensor.extract %constant_11[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_24 : i32
    } -> tensor<3xi32>
    %matmul_default_15 = tensor.empty() : tensor<1x1x2x3xi16>
    %matmul_default_16 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_9, %matmul_default_13, %matmul_default_14 : tensor<1x1x2x3xi8>, tensor<3xi32>, tensor<3xi32>) outs(%matmul_default_15 : tensor<1x1x2x3xi16>) {
    ^bb0(%in: i8, %in_24: i32, %in_25: i32, %out: i16):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_24 : i32
      %3 = arith.muli %2, %in_25 : i32
      %4 = arith.trunci %3 : i32 to i16
      linalg.yield %4 : i16
    } -> tensor<1x1x2x3xi16>
    %matmul_default_17 = tensor.collapse_shape %matmul_default_12 [[0, 1, 2], [3]] : tensor<1x1x4x3xi16> into tensor<4x3xi16>
    %matmul_default_18 = tensor.collapse_shape %matmul_default_16 [[0, 1, 2], [3]] : tensor<1x1x2x3xi16> into tensor<2x3xi16>
    %matmul_default_19 = tensor.empty() : tensor<4x2xi32>
    %matmul_default_20 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_19 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_21 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_17, %matmul_default_18 : tensor<4x3xi16>, tensor<2x3xi16>) outs(%matmul_default_20 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_22 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%matmul_default_21 : tensor<4x2xi32>) outs(%matmul_default_19 : tensor<4x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_24 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_24 : i32 to i64
      %extracted_25 = tensor.extract %constant_13[%0] : tensor<2xi32>
      %3 = arith.extsi %extracted_25 : i32 to i64
      %4 = arith.muli %1, %2 : i64
      %5 = arith.subi %3, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %7 = arith.addi %4, %6 : i64
      %8 = arith.shrsi %7, %3 : i64
      %9 = arith.maxsi %8, %c-2147483648_i64 : i64
      %10 = arith.minsi %9, %c2147483647_i64 : i64
      %11 = arith.trunci %10 : i64 to i32
      linalg.yield %11 : i32
    } -> tensor<4x2xi32>
    %matmul_default_23 = tensor.expand_shape %matmul_default_22 [[0, 1, 2], [3]] output_shape [1, 1, 4, 2] : tensor<4x2xi32> into tensor<1x1x4x2xi32>
    return %matmul_default_23 : tensor<1x1x4x2xi32>
  }
}
