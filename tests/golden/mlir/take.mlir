#map = affine_map<(d0, d1, d2) -> (d2)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x5xi16> {
    %constant_0 = arith.constant dense<[0, 3, 1, 0, 3]> : tensor<5xi32>
    %c0 = arith.constant 0 : index
    %take_default = tensor.empty() : tensor<1x3x5xi16>
    %take_default_0 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%constant_0 : tensor<5xi32>) outs(%take_default : tensor<1x3x5xi16>) {
    ^bb0(%in: i32, %out: i16):
      %0 = linalg.index 1 : index
      %1 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %x[%c0, %0, %1] : tensor<1x3x4xi16>
      linalg.yield %extracted : i16
    } -> tensor<1x3x5xi16>
    return %take_default_0 : tensor<1x3x5xi16>
  }
}
