#map = affine_map<(d0, d1, d2) -> (d0)>
#map1 = affine_map<(d0, d1, d2) -> (d1)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%x: tensor<1x2x3x2xi16>, %step: tensor<i64>) -> tensor<1x5x7x2xi16> {
    %nearest = arith.constant dense<[0, 0, 0, 1, 1]> : tensor<5xi32>
    %nearest_0 = arith.constant dense<[0, 0, 0, 1, 1, 2, 2]> : tensor<7xi32>
    %upsample_nearest_default = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<1x2x3x2xi16> into tensor<2x3x2xi16>
    %upsample_nearest_default_1 = tensor.empty() : tensor<5x7x2xi16>
    %upsample_nearest_default_2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%nearest, %nearest_0 : tensor<5xi32>, tensor<7xi32>) outs(%upsample_nearest_default_1 : tensor<5x7x2xi16>) {
    ^bb0(%in: i32, %in_4: i32, %out: i16):
      %0 = arith.index_cast %in : i32 to index
      %1 = arith.index_cast %in_4 : i32 to index
      %2 = linalg.index 2 : index
      %extracted = tensor.extract %upsample_nearest_default[%0, %1, %2] : tensor<2x3x2xi16>
      linalg.yield %extracted : i16
    } -> tensor<5x7x2xi16>
    %upsample_nearest_default_3 = tensor.expand_shape %upsample_nearest_default_2 [[0, 1], [2], [3]] output_shape [1, 5, 7, 2] : tensor<5x7x2xi16> into tensor<1x5x7x2xi16>
    return %upsample_nearest_default_3 : tensor<1x5x7x2xi16>
  }
}
