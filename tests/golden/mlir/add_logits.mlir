#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
module {
  func.func @main(%a: tensor<1x2x3x4xi16>, %b: tensor<1x2x5x4xi16>, %c: tensor<3x5xi16>, %step: tensor<i64>) -> tensor<1x2x3x5xi32> {
    %constant_6 = arith.constant dense<[791004, 852138]> : tensor<2xi32>
    %constant_7 = arith.constant dense<[18, 20]> : tensor<2xi32>
    %constant_8 = arith.constant dense<[[1537364731, 1491434855, 530702035, -496576782, -869582249], [-1903903272, -976433780, -95927615, 1340754471, -85997394], [-460485807, 1443447321, -698378168, 636393364, -565898288]]> : tensor<3x5xi32>
    %constant_9 = arith.constant dense<[544068355, 119072611]> : tensor<2xi32>
    %constant_10 = arith.constant dense<[27, 44]> : tensor<2xi32>
    %c-8421504_i32 = arith.constant -8421504 : i32
    %c0_i32 = arith.constant 0 : i32
    %c128_i32 = arith.constant 128 : i32
    %c8_i32 = arith.constant 8 : i32
    %c16_i32 = arith.constant 16 : i32
    %c1_i64 = arith.constant 1 : i64
    %c256_i64 = arith.constant 256 : i64
    %c65536_i64 = arith.constant 65536 : i64
    %c16777216_i64 = arith.constant 16777216 : i64
    %c4294967296_i64 = arith.constant 4294967296 : i64
    %c-2147483648_i64 = arith.constant -2147483648 : i64
    %c2147483647_i64 = arith.constant 2147483647 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %matmul_default = tensor.empty() : tensor<1x2x3x4xi8>
    %matmul_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a : tensor<1x2x3x4xi16>) outs(%matmul_default : tensor<1x2x3x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.xori %2, %c128_i32 : i32
      %4 = arith.trunci %3 : i32 to i8
      linalg.yield %4 : i8
    } -> tensor<1x2x3x4xi8>
    %matmul_default_1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a : tensor<1x2x3x4xi16>) outs(%matmul_default : tensor<1x2x3x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.shrsi %2, %c8_i32 : i32
      %4 = arith.xori %3, %c128_i32 : i32
      %5 = arith.trunci %4 : i32 to i8
      linalg.yield %5 : i8
    } -> tensor<1x2x3x4xi8>
    %matmul_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a : tensor<1x2x3x4xi16>) outs(%matmul_default : tensor<1x2x3x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.shrsi %2, %c16_i32 : i32
      %4 = arith.xori %3, %c128_i32 : i32
      %5 = arith.trunci %4 : i32 to i8
      linalg.yield %5 : i8
    } -> tensor<1x2x3x4xi8>
    %matmul_default_3 = tensor.empty() : tensor<1x2x5x4xi8>
    %matmul_default_4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b : tensor<1x2x5x4xi16>) outs(%matmul_default_3 : tensor<1x2x5x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.xori %2, %c128_i32 : i32
      %4 = arith.trunci %3 : i32 to i8
      linalg.yield %4 : i8
    } -> tensor<1x2x5x4xi8>
    %matmul_default_5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b : tensor<1x2x5x4xi16>) outs(%matmul_default_3 : tensor<1x2x5x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.shrsi %2, %c8_i32 : i32
      %4 = arith.xori %3, %c128_i32 : i32
      %5 = arith.trunci %4 : i32 to i8
      linalg.yield %5 : i8
    } -> tensor<1x2x5x4xi8>
    %matmul_default_6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b : tensor<1x2x5x4xi16>) outs(%matmul_default_3 : tensor<1x2x5x4xi8>) {
    ^bb0(%in: i16, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.subi %1, %c-8421504_i32 : i32
      %3 = arith.shrsi %2, %c16_i32 : i32
      %4 = arith.xori %3, %c128_i32 : i32
      %5 = arith.trunci %4 : i32 to i8
      linalg.yield %5 : i8
    } -> tensor<1x2x5x4xi8>
    %matmul_default_7 = tensor.collapse_shape %matmul_default_0 [[0, 1], [2], [3]] : tensor<1x2x3x4xi8> into tensor<2x3x4xi8>
    %matmul_default_8 = tensor.collapse_shape %matmul_default_1 [[0, 1], [2], [3]] : tensor<1x2x3x4xi8> into tensor<2x3x4xi8>
    %matmul_default_9 = tensor.collapse_shape %matmul_default_2 [[0, 1], [2], [3]] : tensor<1x2x3x4xi8> into tensor<2x3x4xi8>
    %matmul_default_10 = tensor.collapse_shape %matmul_default_4 [[0, 1], [2], [3]] : tensor<1x2x5x4xi8> into tensor<2x5x4xi8>
    %matmul_default_11 = tensor.collapse_shape %matmul_default_5 [[0, 1], [2], [3]] : tensor<1x2x5x4xi8> into tensor<2x5x4xi8>
    %matmul_default_12 = tensor.collapse_shape %matmul_default_6 [[0, 1], [2], [3]] : tensor<1x2x5x4xi8> into tensor<2x5x4xi8>
    %matmul_default_13 = tensor.empty() : tensor<2x3x5xi32>
    %matmul_default_14 = linalg.fill ins(%c0_i32 : i32) outs(%matmul_default_13 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_15 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_7, %matmul_default_10 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_16 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_7, %matmul_default_11 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_17 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_7, %matmul_default_12 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_18 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_8, %matmul_default_10 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_19 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_8, %matmul_default_11 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_20 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_8, %matmul_default_12 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_21 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_9, %matmul_default_10 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_22 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_9, %matmul_default_11 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_23 = linalg.batch_matmul indexing_maps = [#map1, #map2, #map3] ins(%matmul_default_9, %matmul_default_12 : tensor<2x3x4xi8>, tensor<2x5x4xi8>) outs(%matmul_default_14 : tensor<2x3x5xi32>) -> tensor<2x3x5xi32>
    %matmul_default_24 = linalg.generic {indexing_maps = [#map4, #map4, #map4, #map4, #map4, #map4, #map4, #map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%matmul_default_15, %matmul_default_16, %matmul_default_17, %matmul_default_18, %matmul_default_19, %matmul_default_20, %matmul_default_21, %matmul_default_22, %matmul_default_23 : tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>, tensor<2x3x5xi32>) outs(%matmul_default_13 : tensor<2x3x5xi32>) {
    ^bb0(%in: i32, %in_27: i32, %in_28: i32, %in_29: i32, %in_30: i32, %in_31: i32, %in_32: i32, %in_33: i32, %in_34: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %2 = arith.extsi %in_27 : i32 to i64
      %3 = arith.muli %2, %c256_i64 : i64
      %4 = arith.extsi %in_28 : i32 to i64
      %5 = arith.muli %4, %c65536_i64 : i64
      %6 = arith.extsi %in_29 : i32 to i64
      %7 = arith.muli %6, %c256_i64 : i64
      %8 = arith.extsi %in_30 : i32 to i64
      %9 = arith.muli %8, %c65536_i64 : i64
      %10 = arith.extsi %in_31 : i32 to i64
      %11 = arith.muli %10, %c16777216_i64 : i64
      %12 = arith.extsi %in_32 : i32 to i64
      %13 = arith.muli %12, %c65536_i64 : i64
      %14 = arith.extsi %in_33 : i32 to i64
      %15 = arith.muli %14, %c16777216_i64 : i64
      %16 = arith.extsi %in_34 : i32 to i64
      %17 = arith.muli %16, %c4294967296_i64 : i64
      %18 = arith.addi %1, %3 : i64
      %19 = arith.addi %18, %5 : i64
      %20 = arith.addi %19, %7 : i64
      %21 = arith.addi %20, %9 : i64
      %22 = arith.addi %21, %11 : i64
      %23 = arith.addi %22, %13 : i64
      %24 = arith.addi %23, %15 : i64
      %25 = arith.addi %24, %17 : i64
      %extracted_35 = tensor.extract %constant_6[%0] : tensor<2xi32>
      %26 = arith.extsi %extracted_35 : i32 to i64
      %extracted_36 = tensor.extract %constant_7[%0] : tensor<2xi32>
      %27 = arith.extsi %extracted_36 : i32 to i64
      %28 = arith.muli %25, %26 : i64
      %29 = arith.subi %27, %c1_i64 : i64
      %30 = arith.shli %c1_i64, %29 : i64
      %31 = arith.addi %28, %30 : i64
      %32 = arith.shrsi %31, %27 : i64
      %33 = arith.maxsi %32, %c-2147483648_i64 : i64
      %34 = arith.minsi %33, %c2147483647_i64 : i64
      %35 = arith.trunci %34 : i64 to i32
      linalg.yield %35 : i32
    } -> tensor<2x3x5xi32>
    %matmul_default_25 = tensor.expand_shape %matmul_default_24 [[0, 1], [2], [3]] output_shape [1, 2, 3, 5] : tensor<2x3x5xi32> into tensor<1x2x3x5xi32>
    %add_logits_default = tensor.empty() : tensor<1x2x3x5xi32>
    %add_logits_default_26 = linalg.generic {indexing_maps = [#map, #map5, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%matmul_default_25, %constant_8 : tensor<1x2x3x5xi32>, tensor<3x5xi32>) outs(%add_logits_default : tensor<1x2x3x5xi32>) {
    ^bb0(%in: i32, %in_27: i32, %out: i32):
      %extracted_28 = tensor.extract %constant_9[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_28 : i32 to i64
      %extracted_29 = tensor.extract %constant_10[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_29 : i32 to i64
      %3 = arith.extsi %in : i32 to i64
      %4 = arith.extsi %in_27 : i32 to i64
      %5 = arith.muli %4, %1 : i64
      %6 = arith.subi %2, %c1_i64 : i64
      %7 = arith.shli %c1_i64, %6 : i64
      %8 = arith.addi %5, %7 : i64
      %9 = arith.shrsi %8, %2 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.maxsi %10, %c-2147483648_i64 : i64
      %12 = arith.minsi %11, %c2147483647_i64 : i64
      %13 = arith.trunci %12 : i64 to i32
      linalg.yield %13 : i32
    } -> tensor<1x2x3x5xi32>
    return %add_logits_default_26 : tensor<1x2x3x5xi32>
  }
}
