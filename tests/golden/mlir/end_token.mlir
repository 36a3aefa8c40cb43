#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0) -> ()>
#map4 = affine_map<(d0, d1) -> ()>
#map5 = affine_map<(d0, d1) -> (d0, d1)>
module {
  func.func @main(%input_ids: tensor<1x3xi16>, %x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x4xi16> {
    %constant_0 = arith.constant dense<[[2], [2], [1], [-2], [1], [2], [0]]> : tensor<7x1xi16>
    %c7_i32 = arith.constant 7 : i32
    %end_token_default = arith.constant -1 : i64
    %c2_i64 = arith.constant 2 : i64
    %c1_i64 = arith.constant 1 : i64
    %c65536_i64 = arith.constant 65536 : i64
    %c65535_i64 = arith.constant 65535 : i64
    %c0 = arith.constant 0 : index
    %embed_default = tensor.empty() : tensor<1x3x1xi16>
    %embed_default_0 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%input_ids : tensor<1x3xi16>) outs(%embed_default : tensor<1x3x1xi16>) {
    ^bb0(%in: i16, %out: i16):
      %0 = arith.extui %in : i16 to i32
      %1 = arith.floordivsi %0, %c7_i32 : i32
      %2 = arith.muli %1, %c7_i32 : i32
      %3 = arith.subi %0, %2 : i32
      %4 = arith.index_cast %3 : i32 to index
      %extracted = tensor.extract %constant_0[%4, %c0] : tensor<7x1xi16>
      linalg.yield %extracted : i16
    } -> tensor<1x3x1xi16>
    %end_token_default_1 = tensor.collapse_shape %embed_default_0 [[0, 1, 2]] : tensor<1x3x1xi16> into tensor<3xi16>
    %end_token_default_2 = tensor.empty() : tensor<i64>
    %end_token_default_3 = linalg.fill ins(%end_token_default : i64) outs(%end_token_default_2 : tensor<i64>) -> tensor<i64>
    %end_token_default_4 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["reduction"]} ins(%end_token_default_1 : tensor<3xi16>) outs(%end_token_default_3 : tensor<i64>) {
    ^bb0(%in: i16, %out: i64):
      %0 = arith.extui %in : i16 to i64
      %1 = arith.xori %0, %c2_i64 : i64
      %2 = arith.minsi %1, %c1_i64 : i64
      %3 = arith.subi %c1_i64, %2 : i64
      %4 = linalg.index 0 : index
      %5 = arith.index_cast %4 : index to i64
      %6 = arith.muli %3, %c65536_i64 : i64
      %7 = arith.subi %c2_i64, %5 : i64
      %8 = arith.addi %6, %7 : i64
      %9 = arith.maxsi %out, %8 : i64
      linalg.yield %9 : i64
    } -> tensor<i64>
    %end_token_default_5 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x3x4xi16> into tensor<3x4xi16>
    %end_token_default_6 = tensor.empty() : tensor<1x4xi16>
    %end_token_default_7 = linalg.generic {indexing_maps = [#map4, #map5], iterator_types = ["parallel", "parallel"]} ins(%end_token_default_4 : tensor<i64>) outs(%end_token_default_6 : tensor<1x4xi16>) {
    ^bb0(%in: i64, %out: i16):
      %0 = arith.andi %in, %c65535_i64 : i64
      %1 = arith.subi %c2_i64, %0 : i64
      %2 = arith.index_cast %1 : i64 to index
      %3 = linalg.index 1 : index
      %extracted = tensor.extract %end_token_default_5[%2, %3] : tensor<3x4xi16>
      linalg.yield %extracted : i16
    } -> tensor<1x4xi16>
    return %end_token_default_7 : tensor<1x4xi16>
  }
}
