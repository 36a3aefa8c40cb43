#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d4)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
module {
  func.func @main(%x: tensor<1x2x3x2xi16>, %step: tensor<i64>) -> tensor<1x4x6x2xi16> {
    %upsample_nearest_default = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<1x2x3x2xi16> into tensor<2x3x2xi16>
    %upsample_nearest_default_0 = tensor.empty() : tensor<2x2x3x2x2xi16>
    %upsample_nearest_default_1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%upsample_nearest_default : tensor<2x3x2xi16>) outs(%upsample_nearest_default_0 : tensor<2x2x3x2x2xi16>) {
    ^bb0(%in: i16, %out: i16):
      linalg.yield %in : i16
    } -> tensor<2x2x3x2x2xi16>
    %upsample_nearest_default_2 = tensor.collapse_shape %upsample_nearest_default_1 [[0, 1], [2, 3], [4]] : tensor<2x2x3x2x2xi16> into tensor<4x6x2xi16>
    %upsample_nearest_default_3 = tensor.expand_shape %upsample_nearest_default_2 [[0, 1], [2], [3]] output_shape [1, 4, 6, 2] : tensor<4x6x2xi16> into tensor<1x4x6x2xi16>
    return %upsample_nearest_default_3 : tensor<1x4x6x2xi16>
  }
}
