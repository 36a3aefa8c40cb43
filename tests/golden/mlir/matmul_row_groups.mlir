#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map8 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map9 = affine_map<(d0, d1, d2) -> (d1)>
#map10 = affine_map<(d0, d1, d2) -> (d2)>
module {
  func.func @main(%a: tensor<1x2x4x3xi16>, %b: tensor<1x2x2x3xi16>, %step: tensor<i64>) -> tensor<1x2x4x2xi32> {
    %group = arith.constant dense<[0, 1, 0, 0]> : tensor<4xi32>
    %table = arith.constant dense<[[53, 80], [0, -19]]> : tensor<2x2xi32>
    %group_0 = arith.constant dense<[1, 0]> : tensor<2xi32>
    %table_1 = arith.constant dense<[[-85, -96], [-10, -47]]> : tensor<2x2xi32>
    %constant_5 = arith.constant dense<[[1, 1], [6, 4]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[[2, 7], [2, 9]]> : tensor<2x2xi32>
    %constant_12 = arith.constant dense<[10034370, 10356947]> : tensor<2xi32>
    %constant_13 = arith.constant dense<[38, 21]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[5947392, 13664256], [134742016, 14352384]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %constant_7 = arith.constant dense<[[11086, 6217], [6922, 6037]]> : tensor<2x2xi32>
    %constant_8 = arith.constant dense<[[11403264, 8519680], [3883008, 10682368]]> : tensor<2x2xi32>
    %constant_9 = arith.constant dense<[[18, 18], [15, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c255_i32 = arith.constant 255 : i32
    %c-128_i8 = arith.constant -128 : i8
    %c3_i32 = arith.constant 3 : i32
    %c1_i64 = arith.constant 1 : i64
    %c-2147483648_i64 = arith.constant -2147483648 : i64
    %c2147483647_i64 = arith.constant 2147483647 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<4xi32>
    %quantize_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<4xi32>
    %quantize_default_3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<4xi32>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<4xi32>
    %quantize_default_5 = tensor.empty() : tensor<1x2x4x3xi8>
    %quantize_default_6 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a, %quantize_default_2, %quantize_default_3, %quantize_default_4 : tensor<1x2x4x3xi16>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) outs(%quantize_default_5 : tensor<1x2x4x3xi8>) {
    ^bb0(%in: i16, %in_30: i32, %in_31: i32, %in_32: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_30 : i32
      %3 = arith.addi %2, %in_31 : i32
      %4 = arith.shrsi %3, %in_32 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x4x3xi8>
    %quantize_default_1 = tensor.empty() : tensor<2xi32>
    %quantize_default_1_7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group_0 : tensor<2xi32>) outs(%quantize_default_1 : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_7[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<2xi32>
    %quantize_default_1_8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group_0 : tensor<2xi32>) outs(%quantize_default_1 : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_8[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<2xi32>
    %quantize_default_1_9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group_0 : tensor<2xi32>) outs(%quantize_default_1 : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_9[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<2xi32>
    %quantize_default_1_10 = tensor.empty() : tensor<1x2x2x3xi8>
    %quantize_default_1_11 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b, %quantize_default_1_7, %quantize_default_1_8, %quantize_default_1_9 : tensor<1x2x2x3xi16>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) outs(%quantize_default_1_10 : tensor<1x2x2x3xi8>) {
    ^bb0(%in: i16, %in_30: i32, %in_31: i32, %in_32: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_30 : i32
      %3 = arith.addi %2, %in_31 : i32
      %4 = arith.shrsi %3, %in_32 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x2x2x3xi8>
    %matmul_default = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_6 : tensor<1x2x4x3xi8>) outs(%quantize_default_5 : tensor<1x2x4x3xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = arith.xori %in, %c-128_i8 : i8
      linalg.yield %1 : i8
    } -> tensor<1x2x4x3xi8>
    %matmul_default_12 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_11 : tensor<1x2x2x3xi8>) outs(%quantize_default_1_10 : tensor<1x2x2x3xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = arith.xori %in, %c-128_i8 : i8
      linalg.yield %1 : i8
    } -> tensor<1x2x2x3xi8>
    %matmul_default_13 = tensor.collapse_shape %matmul_default [[0, 1], [2], [3]] : tensor<1x2x4x3xi8> into tensor<2x4x3xi8>
    %matmul_default_14 = tensor.collapse_shape %matmul_default_12 [[0, 1], [2], [3]] : tensor<1x2x2x3xi8> into tensor<2x2x3xi8>
    %matmul_default_15 = tensor.empty() : tensor<2x4x2xi32>
    %matmul_default_16 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_15 : tensor<2x4x2xi32>) -> tensor<2x4x2xi32>
    %matmul_default_17 = linalg.batch_matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_13, %matmul_default_14 : tensor<2x4x3xi8>, tensor<2x2x3xi8>) outs(%matmul_default_16 : tensor<2x4x2xi32>) -> tensor<2x4x2xi32>
    %matmul_default_18 = tensor.empty() : tensor<2x2xi32>
    %matmul_default_19 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_18 : tensor<2x2xi32>) -> tensor<2x2xi32>
    %matmul_default_20 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel", "reduction"]} ins(%matmul_default_14 : tensor<2x2x3xi8>) outs(%matmul_default_19 : tensor<2x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %1 = arith.extsi %in : i8 to i32
      %2 = arith.addi %out, %1 : i32
      linalg.yield %2 : i32
    } -> tensor<2x2xi32>
    %matmul_default_21 = tensor.empty() : tensor<2x4xi32>
    %matmul_default_22 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_21 : tensor<2x4xi32>) -> tensor<2x4xi32>
    %matmul_default_23 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel", "reduction"]} ins(%matmul_default_13 : tensor<2x4x3xi8>) outs(%matmul_default_22 : tensor<2x4xi32>) {
    ^bb0(%in: i8, %out: i32):
      %1 = arith.extsi %in : i8 to i32
      %2 = arith.addi %out, %1 : i32
      linalg.yield %2 : i32
    } -> tensor<2x4xi32>
    %matmul_default_24 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %table[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<4xi32>
    %matmul_default_25 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group_0 : tensor<2xi32>) outs(%quantize_default_1 : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %table_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<2xi32>
    %matmul_default_26 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<4xi32>
    %matmul_default_27 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group_0 : tensor<2xi32>) outs(%quantize_default_1 : tensor<2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_30 = tensor.extract %constant_11[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_30 : i32
    } -> tensor<2xi32>
    %matmul_default_28 = linalg.generic {indexing_maps = [#map6, #map8, #map7, #map9, #map10, #map9, #map10, #map6], iterator_types = ["parallel", "parallel", "parallel"]} ins(%matmul_default_17, %matmul_default_20, %matmul_default_23, %matmul_default_24, %matmul_default_25, %matmul_default_26, %matmul_default_27 : tensor<2x4x2xi32>, tensor<2x2xi32>, tensor<2x4xi32>, tensor<4xi32>, tensor<2xi32>, tensor<4xi32>, tensor<2xi32>) outs(%matmul_default_15 : tensor<2x4x2xi32>) {
    ^bb0(%in: i32, %in_30: i32, %in_31: i32, %in_32: i32, %in_33: i32, %in_34: i32, %in_35: i32, %out: i32):
      %1 = arith.muli %in_32, %in_30 : i32
      %2 = arith.subi %in, %1 : i32
      %3 = arith.muli %in_32, %c3_i32 : i32
      %4 = arith.subi %in_31, %3 : i32
      %5 = arith.muli %in_33, %4 : i32
      %6 = arith.subi %2, %5 : i32
      %7 = arith.extsi %6 : i32 to i64
      %8 = arith.extsi %in_34 : i32 to i64
      %9 = arith.muli %7, %8 : i64
      %10 = arith.extsi %in_35 : i32 to i64
      %11 = arith.muli %9, %10 : i64
      %extracted_36 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %12 = arith.extsi %extracted_36 : i32 to i64
      %extracted_37 = tensor.extract %constant_13[%0] : tensor<2xi32>
      %13 = arith.extsi %extracted_37 : i32 to i64
      %14 = arith.muli %11, %12 : i64
      %15 = arith.subi %13, %c1_i64 : i64
      %16 = arith.shli %c1_i64, %15 : i64
      %17 = arith.addi %14, %16 : i64
      %18 = arith.shrsi %17, %13 : i64
      %19 = arith.maxsi %18, %c-2147483648_i64 : i64
      %20 = arith.minsi %19, %c2147483647_i64 : i64
      %21 = arith.trunci %20 : i64 to i32
      linalg.yield %21 : i32
    } -> tensor<2x4x2xi32>
    %matmul_default_29 = tensor.expand_shape %matmul_default_28 [[0, 1], [2], [3]] output_shape [1, 2, 4, 2] : tensor<2x4x2xi32> into tensor<1x2x4x2xi32>
    return %matmul_default_29 : tensor<1x2x4x2xi32>
  }
}
