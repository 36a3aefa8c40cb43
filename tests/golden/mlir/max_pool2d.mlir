#map = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 2 + d3, d1 + d4, d2)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d3, d4)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
module {
  func.func @main(%x: tensor<1x4x5x2xi16>, %step: tensor<i64>) -> tensor<1x2x4x2xi16> {
    %c-32768_i16 = arith.constant -32768 : i16
    %max_pool2d_default = arith.constant 0 : i16
    %max_pool2d_default_0 = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<1x4x5x2xi16> into tensor<4x5x2xi16>
    %max_pool2d_default_1 = tensor.empty() : tensor<5x5x2xi16>
    %max_pool2d_default_2 = linalg.fill ins(%c-32768_i16 : i16) outs(%max_pool2d_default_1 : tensor<5x5x2xi16>) -> tensor<5x5x2xi16>
    %max_pool2d_default_3 = tensor.insert_slice %max_pool2d_default_0 into %max_pool2d_default_2[1, 0, 0] [4, 5, 2] [1, 1, 1] : tensor<4x5x2xi16> into tensor<5x5x2xi16>
    %max_pool2d_default_4 = tensor.empty() : tensor<3x2xi16>
    %max_pool2d_default_5 = linalg.fill ins(%max_pool2d_default : i16) outs(%max_pool2d_default_4 : tensor<3x2xi16>) -> tensor<3x2xi16>
    %max_pool2d_default_6 = tensor.empty() : tensor<2x4x2xi16>
    %max_pool2d_default_7 = linalg.fill ins(%c-32768_i16 : i16) outs(%max_pool2d_default_6 : tensor<2x4x2xi16>) -> tensor<2x4x2xi16>
    %max_pool2d_default_8 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%max_pool2d_default_3, %max_pool2d_default_5 : tensor<5x5x2xi16>, tensor<3x2xi16>) outs(%max_pool2d_default_7 : tensor<2x4x2xi16>) {
    ^bb0(%in: i16, %in_10: i16, %out: i16):
      %0 = arith.maxsi %out, %in : i16
      linalg.yield %0 : i16
    } -> tensor<2x4x2xi16>
    %max_pool2d_default_9 = tensor.expand_shape %max_pool2d_default_8 [[0, 1], [2], [3]] output_shape [1, 2, 4, 2] : tensor<2x4x2xi16> into tensor<1x2x4x2xi16>
    return %max_pool2d_default_9 : tensor<1x2x4x2xi16>
  }
}
