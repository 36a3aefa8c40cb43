#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d3)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
#map7 = affine_map<(d0, d1) -> (d1)>
#map8 = affine_map<(d0, d1) -> (d0)>
module {
  func.func @main(%a: tensor<1x1x4x3xi16>, %b: tensor<1x1x2x3xi16>, %step: tensor<i64>) -> tensor<1x1x4x2xi32> {
    %group = arith.constant dense<[0, 1, 0]> : tensor<3xi32>
    %constant_5 = arith.constant dense<[[377, 57], [269, 395]]> : tensor<2x2xi32>
    %constant_10 = arith.constant dense<[[172, 43], [32, 118]]> : tensor<2x2xi32>
    %constant_11 = arith.constant dense<[[196, 86], [223, 400]]> : tensor<2x2xi32>
    %table = arith.constant dense<[[53, 80], [0, -19]]> : tensor<2x2xi32>
    %constant_12 = arith.constant dense<[10034370, 10356947]> : tensor<2xi32>
    %constant_13 = arith.constant dense<[38, 21]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[5947392, 13664256], [134742016, 14352384]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %constant_7 = arith.constant dense<[[538, 11086], [6217, 6922]]> : tensor<2x2xi32>
    %constant_8 = arith.constant dense<[[11304960, 11403264], [8519680, 3883008]]> : tensor<2x2xi32>
    %constant_9 = arith.constant dense<[[16, 18], [18, 15]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c255_i32 = arith.constant 255 : i32
    %c128_i32 = arith.constant 128 : i32
    %c8_i32 = arith.constant 8 : i32
    %c16_i32 = arith.constant 16 : i32
    %c-128_i8 = arith.constant -128 : i8
    %c2139062144_i32 = arith.constant 2139062144 : i32
    %c24_i32 = arith.constant 24 : i32
    %c0_i64 = arith.constant 0 : i64
    %c1_i64 = arith.constant 1 : i64
    %c256_i64 = arith.constant 256 : i64
    %c65536_i64 = arith.constant 65536 : i64
    %c16777216_i64 = arith.constant 16777216 : i64
    %c-2147483648_i64 = arith.constant -2147483648 : i64
    %c2147483647_i64 = arith.constant 2147483647 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<3xi32>
    %quantize_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_3 = tensor.empty() : tensor<1x1x4x3xi8>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a, %quantize_default_0, %quantize_default_1, %quantize_default_2 : tensor<1x1x4x3xi16>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_3 : tensor<1x1x4x3xi8>) {
    ^bb0(%in: i16, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_34 : i32
      %3 = arith.addi %2, %in_35 : i32
      %4 = arith.shrsi %3, %in_36 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x1x4x3xi8>
    %quantize_default_1_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_7[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_1_6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_8[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_1_7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_9[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %quantize_default_1_8 = tensor.empty() : tensor<1x1x2x3xi8>
    %quantize_default_1_9 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b, %quantize_default_1_5, %quantize_default_1_6, %quantize_default_1_7 : tensor<1x1x2x3xi16>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i16, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_34 : i32
      %3 = arith.addi %2, %in_35 : i32
      %4 = arith.shrsi %3, %in_36 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c255_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_4 : tensor<1x1x4x3xi8>) outs(%quantize_default_3 : tensor<1x1x4x3xi8>) {
    ^bb0(%in: i8, %out: i8):
      %1 = arith.xori %in, %c-128_i8 : i8
      linalg.yield %1 : i8
    } -> tensor<1x1x4x3xi8>
    %matmul_default_10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_10[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %matmul_default_11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_11[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %matmul_default_12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %constant_5[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %matmul_default_13 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_9, %matmul_default_10, %matmul_default_11, %matmul_default_12 : tensor<1x1x2x3xi8>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i8, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_34 : i32
      %3 = arith.muli %2, %in_35 : i32
      %4 = arith.muli %3, %in_36 : i32
      %5 = arith.subi %4, %c2139062144_i32 : i32
      %6 = arith.xori %5, %c128_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default_14 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_9, %matmul_default_10, %matmul_default_11, %matmul_default_12 : tensor<1x1x2x3xi8>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i8, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_34 : i32
      %3 = arith.muli %2, %in_35 : i32
      %4 = arith.muli %3, %in_36 : i32
      %5 = arith.subi %4, %c2139062144_i32 : i32
      %6 = arith.shrsi %5, %c8_i32 : i32
      %7 = arith.xori %6, %c128_i32 : i32
      %8 = arith.trunci %7 : i32 to i8
      linalg.yield %8 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default_15 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_9, %matmul_default_10, %matmul_default_11, %matmul_default_12 : tensor<1x1x2x3xi8>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i8, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_34 : i32
      %3 = arith.muli %2, %in_35 : i32
      %4 = arith.muli %3, %in_36 : i32
      %5 = arith.subi %4, %c2139062144_i32 : i32
      %6 = arith.shrsi %5, %c16_i32 : i32
      %7 = arith.xori %6, %c128_i32 : i32
      %8 = arith.trunci %7 : i32 to i8
      linalg.yield %8 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default_16 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%quantize_default_1_9, %matmul_default_10, %matmul_default_11, %matmul_default_12 : tensor<1x1x2x3xi8>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) outs(%quantize_default_1_8 : tensor<1x1x2x3xi8>) {
    ^bb0(%in: i8, %in_34: i32, %in_35: i32, %in_36: i32, %out: i8):
      %1 = arith.extui %in : i8 to i32
      %2 = arith.subi %1, %in_34 : i32
      %3 = arith.muli %2, %in_35 : i32
      %4 = arith.muli %3, %in_36 : i32
      %5 = arith.subi %4, %c2139062144_i32 : i32
      %6 = arith.shrsi %5, %c24_i32 : i32
      %7 = arith.xori %6, %c128_i32 : i32
      %8 = arith.trunci %7 : i32 to i8
      linalg.yield %8 : i8
    } -> tensor<1x1x2x3xi8>
    %matmul_default_17 = tensor.collapse_shape %matmul_default [[0, 1, 2], [3]] : tensor<1x1x4x3xi8> into tensor<4x3xi8>
    %matmul_default_18 = tensor.collapse_shape %matmul_default_13 [[0, 1, 2], [3]] : tensor<1x1x2x3xi8> into tensor<2x3xi8>
    %matmul_default_19 = tensor.collapse_shape %matmul_default_14 [[0, 1, 2], [3]] : tensor<1x1x2x3xi8> into tensor<2x3xi8>
    %matmul_default_20 = tensor.collapse_shape %matmul_default_15 [[0, 1, 2], [3]] : tensor<1x1x2x3xi8> into tensor<2x3xi8>
    %matmul_default_21 = tensor.collapse_shape %matmul_default_16 [[0, 1, 2], [3]] : tensor<1x1x2x3xi8> into tensor<2x3xi8>
    %matmul_default_22 = tensor.empty() : tensor<4x2xi32>
    %matmul_default_23 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_22 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_24 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_17, %matmul_default_18 : tensor<4x3xi8>, tensor<2x3xi8>) outs(%matmul_default_23 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_25 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_17, %matmul_default_19 : tensor<4x3xi8>, tensor<2x3xi8>) outs(%matmul_default_23 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_26 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_17, %matmul_default_20 : tensor<4x3xi8>, tensor<2x3xi8>) outs(%matmul_default_23 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_27 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%matmul_default_17, %matmul_default_21 : tensor<4x3xi8>, tensor<2x3xi8>) outs(%matmul_default_23 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %matmul_default_28 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<3xi32>) outs(%quantize_default : tensor<3xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_34 = tensor.extract %table[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_34 : i32
    } -> tensor<3xi32>
    %matmul_default_29 = tensor.empty() : tensor<2xi64>
    %matmul_default_30 = linalg.fill ins(%c0_i64 : i64) outs(%matmul_default_29 : tensor<2xi64>) -> tensor<2xi64>
    %matmul_default_31 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6, #map7, #map8], iterator_types = ["parallel", "reduction"]} ins(%matmul_default_18, %matmul_default_19, %matmul_default_20, %matmul_default_21, %matmul_default_28 : tensor<2x3xi8>, tensor<2x3xi8>, tensor<2x3xi8>, tensor<2x3xi8>, tensor<3xi32>) outs(%matmul_default_30 : tensor<2xi64>) {
    ^bb0(%in: i8, %in_34: i8, %in_35: i8, %in_36: i8, %in_37: i32, %out: i64):
      %1 = arith.extsi %in : i8 to i64
      %2 = arith.extsi %in_34 : i8 to i64
      %3 = arith.muli %2, %c256_i64 : i64
      %4 = arith.addi %1, %3 : i64
      %5 = arith.extsi %in_35 : i8 to i64
      %6 = arith.muli %5, %c65536_i64 : i64
      %7 = arith.addi %4, %6 : i64
      %8 = arith.extsi %in_36 : i8 to i64
      %9 = arith.muli %8, %c16777216_i64 : i64
      %10 = arith.addi %7, %9 : i64
      %11 = arith.extsi %in_37 : i32 to i64
      %12 = arith.muli %10, %11 : i64
      %13 = arith.addi %out, %12 : i64
      linalg.yield %13 : i64
    } -> tensor<2xi64>
    %matmul_default_32 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%matmul_default_24, %matmul_default_25, %matmul_default_26, %matmul_default_27, %matmul_default_31 : tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<4x2xi32>, tensor<2xi64>) outs(%matmul_default_22 : tensor<4x2xi32>) {
    ^bb0(%in: i32, %in_34: i32, %in_35: i32, %in_36: i32, %in_37: i64, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_34 : i32 to i64
      %3 = arith.muli %2, %c256_i64 : i64
      %4 = arith.extsi %in_35 : i32 to i64
      %5 = arith.muli %4, %c65536_i64 : i64
      %6 = arith.extsi %in_36 : i32 to i64
      %7 = arith.muli %6, %c16777216_i64 : i64
      %8 = arith.addi %1, %3 : i64
      %9 = arith.addi %8, %5 : i64
      %10 = arith.addi %9, %7 : i64
      %11 = arith.subi %10, %in_37 : i64
      %extracted_38 = tensor.extract %constant_12[%0] : tensor<2xi32>
      %12 = arith.extsi %extracted_38 : i32 to i64
      %extracted_39 = tensor.extract %constant_13[%0] : tensor<2xi32>
      %13 = arith.extsi %extracted_39 : i32 to i64
      %14 = arith.muli %11, %12 : i64
      %15 = arith.subi %13, %c1_i64 : i64
      %16 = arith.shli %c1_i64, %15 : i64
      %17 = arith.addi %14, %16 : i64
      %18 = arith.shrsi %17, %13 : i64
      %19 = arith.maxsi %18, %c-2147483648_i64 : i64
      %20 = arith.minsi %19, %c2147483647_i64 : i64
      %21 = arith.trunci %20 : i64 to i32
      linalg.yield %21 : i32
    } -> tensor<4x2xi32>
    %matmul_default_33 = tensor.expand_shape %matmul_default_32 [[0, 1, 2], [3]] output_shape [1, 1, 4, 2] : tensor<4x2xi32> into tensor<1x1x4x2xi32>
    return %matmul_default_33 : tensor<1x1x4x2xi32>
  }
}
