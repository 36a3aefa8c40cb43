#map = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0 + d3 * 2, d1 + d4, d2)>
#map1 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d4, d2, d5)>
#map2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d5)>
#map3 = affine_map<(d0) -> (d0)>
#map4 = affine_map<(d0, d1) -> (d0, d1)>
#map5 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x5x6x2xi16>, %step: tensor<i64>) -> tensor<1x3x6x4xi16> {
    %constant_0 = arith.constant dense_resource<constant_0> : tensor<3x3x2x2xi16>
    %constant_1 = arith.constant dense<[602801999, 1589512640, 2034131043, 1292401841]> : tensor<4xi32>
    %constant_7 = arith.constant dense<[121252, 217606]> : tensor<2xi32>
    %constant_4 = arith.constant dense<[1455594806, -1194255133, 776214467, 873100449]> : tensor<4xi32>
    %constant_5 = arith.constant dense<[103275031, 188531401]> : tensor<2xi32>
    %constant_3 = arith.constant dense<[43, 28]> : tensor<2xi32>
    %constant_6 = arith.constant dense<[22, 13]> : tensor<2xi32>
    %depthwise_conv2d_default = arith.constant 0 : i16
    %depthwise_conv2d_default_0 = arith.constant 0 : i64
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %depthwise_conv2d_default_1 = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<1x5x6x2xi16> into tensor<5x6x2xi16>
    %depthwise_conv2d_default_2 = tensor.empty() : tensor<7x8x2xi16>
    %depthwise_conv2d_default_3 = linalg.fill ins(%depthwise_conv2d_default : i16) outs(%depthwise_conv2d_default_2 : tensor<7x8x2xi16>) -> tensor<7x8x2xi16>
    %depthwise_conv2d_default_4 = tensor.insert_slice %depthwise_conv2d_default_1 into %depthwise_conv2d_default_3[1, 1, 0] [5, 6, 2] [1, 1, 1] : tensor<5x6x2xi16> into tensor<7x8x2xi16>
    %depthwise_conv2d_default_5 = tensor.empty() : tensor<3x6x2x2xi64>
    %depthwise_conv2d_default_6 = linalg.fill ins(%depthwise_conv2d_default_0 : i64) outs(%depthwise_conv2d_default_5 : tensor<3x6x2x2xi64>) -> tensor<3x6x2x2xi64>
    %depthwise_conv2d_default_7 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]} ins(%depthwise_conv2d_default_4, %constant_0 : tensor<7x8x2xi16>, tensor<3x3x2x2xi16>) outs(%depthwise_conv2d_default_6 : tensor<3x6x2x2xi64>) {
    ^bb0(%in: i16, %in_16: i16, %out: i64):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.extsi %in_16 : i16 to i32
      %3 = arith.muli %1, %2 : i32
      %4 = arith.extsi %3 : i32 to i64
      %5 = arith.addi %out, %4 : i64
      linalg.yield %5 : i64
    } -> tensor<3x6x2x2xi64>
    %depthwise_conv2d_default_8 = tensor.collapse_shape %depthwise_conv2d_default_7 [[0, 1], [2, 3]] : tensor<3x6x2x2xi64> into tensor<18x4xi64>
    %depthwise_conv2d_default_9 = tensor.empty() : tensor<4xi32>
    %depthwise_conv2d_default_10 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel"]} ins(%constant_1 : tensor<4xi32>) outs(%depthwise_conv2d_default_9 : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.extsi %in : i32 to i64
      %extracted_16 = tensor.extract %constant_7[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_16 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      %6 = arith.trunci %5 : i64 to i32
      linalg.yield %6 : i32
    } -> tensor<4xi32>
    %depthwise_conv2d_default_11 = tensor.empty() : tensor<4xi64>
    %depthwise_conv2d_default_12 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel"]} ins(%constant_4 : tensor<4xi32>) outs(%depthwise_conv2d_default_11 : tensor<4xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_16 = tensor.extract %constant_5[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_16 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_17 = tensor.extract %constant_3[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_17 : i32 to i64
      %5 = arith.subi %4, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %extracted_18 = tensor.extract %constant_6[%0] : tensor<2xi32>
      %7 = arith.extsi %extracted_18 : i32 to i64
      %8 = arith.subi %7, %c1_i64 : i64
      %9 = arith.shli %c1_i64, %8 : i64
      %10 = arith.addi %3, %9 : i64
      %11 = arith.shrsi %10, %7 : i64
      %12 = arith.addi %11, %6 : i64
      linalg.yield %12 : i64
    } -> tensor<4xi64>
    %depthwise_conv2d_default_13 = tensor.empty() : tensor<18x4xi16>
    %depthwise_conv2d_default_14 = linalg.generic {indexing_maps = [#map4, #map5, #map5, #map4], iterator_types = ["parallel", "parallel"]} ins(%depthwise_conv2d_default_8, %depthwise_conv2d_default_10, %depthwise_conv2d_default_12 : tensor<18x4xi64>, tensor<4xi32>, tensor<4xi64>) outs(%depthwise_conv2d_default_13 : tensor<18x4xi16>) {
    ^bb0(%in: i64, %in_16: i32, %in_17: i64, %out: i16):
      %extracted_18 = tensor.extract %constant_3[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_18 : i32 to i64
      %2 = arith.extsi %in_16 : i32 to i64
      %3 = arith.muli %in, %2 : i64
      %4 = arith.addi %3, %in_17 : i64
      %5 = arith.shrsi %4, %1 : i64
      %6 = arith.maxsi %5, %c-32768_i64 : i64
      %7 = arith.minsi %6, %c32767_i64 : i64
      %8 = arith.trunci %7 : i64 to i16
      linalg.yield %8 : i16
    } -> tensor<18x4xi16>
    %depthwise_conv2d_default_15 = tensor.expand_shape %depthwise_conv2d_default_14 [[0, 1, 2], [3]] output_shape [1, 3, 6, 4] : tensor<18x4xi16> into tensor<1x3x6x4xi16>
    return %depthwise_conv2d_default_15 : tensor<1x3x6x4xi16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      constant_0: "0x02000000AC8A2F2A7526C04C4333FBD2C3F667FD0924D35E15D1F256243757BA46BCD83D581A8C4D3AB9C1C2E6FD27CA5728AE4858DE510BA56619C24DEB4818099B94177388D093F312C59E"
    }
  }
#-}
