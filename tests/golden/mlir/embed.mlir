#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%input_ids: tensor<1x3xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[[49, -43, -13, 37], [-45, -94, 5, 26], [33, 3, -27, -19], [-8, -85, 92, 98], [49, 41, 17, 60]]> : tensor<5x4xi16>
    %c5_i32 = arith.constant 5 : i32
    %embed_default = tensor.empty() : tensor<1x3x4xi16>
    %embed_default_0 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%input_ids : tensor<1x3xi16>) outs(%embed_default : tensor<1x3x4xi16>) {
    ^bb0(%in: i16, %out: i16):
      %0 = arith.extui %in : i16 to i32
      %1 = arith.floordivsi %0, %c5_i32 : i32
      %2 = arith.muli %1, %c5_i32 : i32
      %3 = arith.subi %0, %2 : i32
      %4 = arith.index_cast %3 : i32 to index
      %5 = linalg.index 2 : index
      %extracted = tensor.extract %constant_0[%4, %5] : tensor<5x4xi16>
      linalg.yield %extracted : i16
    } -> tensor<1x3x4xi16>
    return %embed_default_0 : tensor<1x3x4xi16>
  }
}
