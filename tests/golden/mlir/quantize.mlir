#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d2)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi8> {
    %group = arith.constant dense<[0, 1, 0, 0]> : tensor<4xi32>
    %constant_1 = arith.constant dense<[[9226, 7892], [4374, 5875]]> : tensor<2x2xi32>
    %constant_2 = arith.constant dense<[[1753088, 4489216], [15204352, -327680]]> : tensor<2x2xi32>
    %constant_3 = arith.constant dense<[[15, 16], [20, 17]]> : tensor<2x2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c63_i32 = arith.constant 63 : i32
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %quantize_default = tensor.empty() : tensor<4xi32>
    %quantize_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_5 = tensor.extract %constant_1[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_5 : i32
    } -> tensor<4xi32>
    %quantize_default_1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_5 = tensor.extract %constant_2[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_5 : i32
    } -> tensor<4xi32>
    %quantize_default_2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%group : tensor<4xi32>) outs(%quantize_default : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      %1 = arith.index_cast %in : i32 to index
      %extracted_5 = tensor.extract %constant_3[%0, %1] : tensor<2x2xi32>
      linalg.yield %extracted_5 : i32
    } -> tensor<4xi32>
    %quantize_default_3 = tensor.empty() : tensor<1x3x4xi8>
    %quantize_default_4 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %quantize_default_0, %quantize_default_1, %quantize_default_2 : tensor<1x3x4xi16>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) outs(%quantize_default_3 : tensor<1x3x4xi8>) {
    ^bb0(%in: i16, %in_5: i32, %in_6: i32, %in_7: i32, %out: i8):
      %1 = arith.extsi %in : i16 to i32
      %2 = arith.muli %1, %in_5 : i32
      %3 = arith.addi %2, %in_6 : i32
      %4 = arith.shrsi %3, %in_7 : i32
      %5 = arith.maxsi %4, %c0_i32 : i32
      %6 = arith.minsi %5, %c63_i32 : i32
      %7 = arith.trunci %6 : i32 to i8
      linalg.yield %7 : i8
    } -> tensor<1x3x4xi8>
    return %quantize_default_4 : tensor<1x3x4xi8>
  }
}
