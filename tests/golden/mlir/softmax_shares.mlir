#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[398764591, 1478610112]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[28, 24]> : tensor<2xi32>
    %constant_2 = arith.constant dense<[1491434855, 530702035]> : tensor<2xi32>
    %constant_3 = arith.constant dense<[49, 44]> : tensor<2xi32>
    %softmax_default = arith.constant -32768 : i16
    %c1_i64 = arith.constant 1 : i64
    %c4194304_i64 = arith.constant 4194304 : i64
    %c65535_i64 = arith.constant 65535 : i64
    %c32768_i32 = arith.constant 32768 : i32
    %c875_i32 = arith.constant 875 : i32
    %c16_i32 = arith.constant 16 : i32
    %c5186_i32 = arith.constant 5186 : i32
    %c22271_i32 = arith.constant 22271 : i32
    %c64239_i32 = arith.constant 64239 : i32
    %c1779007487_i32 = arith.constant 1779007487 : i32
    %c3_i32 = arith.constant 3 : i32
    %c536870913_i32 = arith.constant 536870913 : i32
    %c16_i64 = arith.constant 16 : i64
    %c31_i64 = arith.constant 31 : i64
    %softmax_default_0 = arith.constant 0 : i64
    %c30_i64 = arith.constant 30 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %softmax_default_1 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x3x4xi16> into tensor<3x4xi16>
    %softmax_default_2 = tensor.empty() : tensor<3xi16>
    %softmax_default_3 = linalg.fill ins(%softmax_default : i16) outs(%softmax_default_2 : tensor<3xi16>) -> tensor<3xi16>
    %softmax_default_4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%softmax_default_1 : tensor<3x4xi16>) outs(%softmax_default_3 : tensor<3xi16>) {
    ^bb0(%in: i16, %out: i16):
      %1 = arith.maxsi %out, %in : i16
      linalg.yield %1 : i16
    } -> tensor<3xi16>
    %softmax_default_5 = tensor.empty() : tensor<3x4xi64>
    %softmax_default_6 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%softmax_default_1, %softmax_default_4 : tensor<3x4xi16>, tensor<3xi16>) outs(%softmax_default_5 : tensor<3x4xi64>) {
    ^bb0(%in: i16, %in_13: i16, %out: i64):
      %1 = arith.extsi %in_13 : i16 to i64
      %2 = arith.extsi %in : i16 to i64
      %3 = arith.subi %1, %2 : i64
      %extracted_14 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_14 : i32 to i64
      %5 = arith.muli %3, %4 : i64
      %extracted_15 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %6 = arith.extsi %extracted_15 : i32 to i64
      %7 = arith.subi %6, %c1_i64 : i64
      %8 = arith.shli %c1_i64, %7 : i64
      %9 = arith.addi %5, %8 : i64
      %10 = arith.shrsi %9, %6 : i64
      %11 = arith.minsi %10, %c4194304_i64 : i64
      %12 = arith.andi %11, %c65535_i64 : i64
      %13 = arith.trunci %12 : i64 to i32
      %14 = arith.subi %13, %c32768_i32 : i32
      %15 = arith.muli %14, %c875_i32 : i32
      %16 = arith.shrsi %15, %c16_i32 : i32
      %17 = arith.subi %c5186_i32, %16 : i32
      %18 = arith.muli %17, %14 : i32
      %19 = arith.shrsi %18, %c16_i32 : i32
      %20 = arith.subi %c22271_i32, %19 : i32
      %21 = arith.muli %20, %14 : i32
      %22 = arith.shrsi %21, %c16_i32 : i32
      %23 = arith.subi %c64239_i32, %22 : i32
      %24 = arith.muli %23, %14 : i32
      %25 = arith.subi %c1779007487_i32, %24 : i32
      %26 = arith.shrui %25, %c3_i32 : i32
      %27 = arith.addi %26, %c536870913_i32 : i32
      %28 = arith.shrui %11, %c16_i64 : i64
      %29 = arith.minsi %28, %c31_i64 : i64
      %30 = arith.trunci %29 : i64 to i32
      %31 = arith.shrsi %27, %30 : i32
      %32 = arith.extsi %31 : i32 to i64
      linalg.yield %32 : i64
    } -> tensor<3x4xi64>
    %softmax_default_7 = tensor.empty() : tensor<3xi64>
    %softmax_default_8 = linalg.fill ins(%softmax_default_0 : i64) outs(%softmax_default_7 : tensor<3xi64>) -> tensor<3xi64>
    %softmax_default_9 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%softmax_default_6 : tensor<3x4xi64>) outs(%softmax_default_8 : tensor<3xi64>) {
    ^bb0(%in: i64, %out: i64):
      %1 = arith.addi %out, %in : i64
      linalg.yield %1 : i64
    } -> tensor<3xi64>
    %softmax_default_10 = tensor.empty() : tensor<3x4xi16>
    %softmax_default_11 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%softmax_default_6, %softmax_default_9 : tensor<3x4xi64>, tensor<3xi64>) outs(%softmax_default_10 : tensor<3x4xi16>) {
    ^bb0(%in: i64, %in_13: i64, %out: i16):
      %1 = arith.shli %in, %c30_i64 : i64
      %2 = arith.floordivsi %1, %in_13 : i64
      %extracted_14 = tensor.extract %constant_2[%0] : tensor<2xi32>
      %3 = arith.extsi %extracted_14 : i32 to i64
      %extracted_15 = tensor.extract %constant_3[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_15 : i32 to i64
      %5 = arith.muli %2, %3 : i64
      %6 = arith.subi %4, %c1_i64 : i64
      %7 = arith.shli %c1_i64, %6 : i64
      %8 = arith.addi %5, %7 : i64
      %9 = arith.shrsi %8, %4 : i64
      %10 = arith.maxsi %9, %c-32768_i64 : i64
      %11 = arith.minsi %10, %c32767_i64 : i64
      %12 = arith.trunci %11 : i64 to i16
      linalg.yield %12 : i16
    } -> tensor<3x4xi16>
    %softmax_default_12 = tensor.expand_shape %softmax_default_11 [[0, 1], [2]] output_shape [1, 3, 4] : tensor<3x4xi16> into tensor<1x3x4xi16>
    return %softmax_default_12 : tensor<1x3x4xi16>
  }
}
