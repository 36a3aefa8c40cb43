#map = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 2 + d2, d1 * 2 + d3, d4)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map4 = affine_map<(d0, d1) -> (d0, d1)>
module {
  func.func @main(%x: tensor<1x4x5x2xi16>, %step: tensor<i64>) -> tensor<1x2x2x2xi16> {
    %avg_pool2d_default = arith.constant 0 : i32
    %c2_i32 = arith.constant 2 : i32
    %c4_i32 = arith.constant 4 : i32
    %c8_i32 = arith.constant 8 : i32
    %avg_pool2d_default_0 = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<1x4x5x2xi16> into tensor<4x5x2xi16>
    %avg_pool2d_default_1 = tensor.extract_slice %avg_pool2d_default_0[0, 0, 0] [4, 4, 2] [1, 1, 1] : tensor<4x5x2xi16> to tensor<4x4x2xi16>
    %avg_pool2d_default_2 = tensor.empty() : tensor<2x2x2x2x2xi16>
    %avg_pool2d_default_3 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%avg_pool2d_default_1 : tensor<4x4x2xi16>) outs(%avg_pool2d_default_2 : tensor<2x2x2x2x2xi16>) {
    ^bb0(%in: i16, %out: i16):
      linalg.yield %in : i16
    } -> tensor<2x2x2x2x2xi16>
    %avg_pool2d_default_4 = tensor.collapse_shape %avg_pool2d_default_3 [[0, 1], [2, 3], [4]] : tensor<2x2x2x2x2xi16> into tensor<4x4x2xi16>
    %avg_pool2d_default_5 = tensor.empty() : tensor<4x2xi32>
    %avg_pool2d_default_6 = linalg.fill ins(%avg_pool2d_default : i32) outs(%avg_pool2d_default_5 : tensor<4x2xi32>) -> tensor<4x2xi32>
    %avg_pool2d_default_7 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "reduction", "parallel"]} ins(%avg_pool2d_default_4 : tensor<4x4x2xi16>) outs(%avg_pool2d_default_6 : tensor<4x2xi32>) {
    ^bb0(%in: i16, %out: i32):
      %0 = arith.extsi %in : i16 to i32
      %1 = arith.addi %out, %0 : i32
      linalg.yield %1 : i32
    } -> tensor<4x2xi32>
    %avg_pool2d_default_8 = tensor.empty() : tensor<4x2xi16>
    %avg_pool2d_default_9 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel"]} ins(%avg_pool2d_default_7 : tensor<4x2xi32>) outs(%avg_pool2d_default_8 : tensor<4x2xi16>) {
    ^bb0(%in: i32, %out: i16):
      %0 = arith.muli %in, %c2_i32 : i32
      %1 = arith.addi %0, %c4_i32 : i32
      %2 = arith.floordivsi %1, %c8_i32 : i32
      %3 = arith.trunci %2 : i32 to i16
      linalg.yield %3 : i16
    } -> tensor<4x2xi16>
    %avg_pool2d_default_10 = tensor.expand_shape %avg_pool2d_default_9 [[0, 1, 2], [3]] output_shape [1, 2, 2, 2] : tensor<4x2xi16> into tensor<1x2x2x2xi16>
    return %avg_pool2d_default_10 : tensor<1x2x2x2xi16>
  }
}
