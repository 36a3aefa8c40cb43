#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0)>
#map2 = affine_map<(d0) -> (d0)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x1xi16> {
    %constant_0 = arith.constant dense<[398764591, 1478610112]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[21, 29]> : tensor<2xi32>
    %mean_default = arith.constant 0 : i64
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %mean_default_0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x3x4xi16> into tensor<3x4xi16>
    %mean_default_1 = tensor.empty() : tensor<3xi64>
    %mean_default_2 = linalg.fill ins(%mean_default : i64) outs(%mean_default_1 : tensor<3xi64>) -> tensor<3xi64>
    %mean_default_3 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%mean_default_0 : tensor<3x4xi16>) outs(%mean_default_2 : tensor<3xi64>) {
    ^bb0(%in: i16, %out: i64):
      %1 = arith.extsi %in : i16 to i64
      %2 = arith.addi %out, %1 : i64
      linalg.yield %2 : i64
    } -> tensor<3xi64>
    %mean_default_4 = tensor.empty() : tensor<3xi16>
    %mean_default_5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%mean_default_3 : tensor<3xi64>) outs(%mean_default_4 : tensor<3xi16>) {
    ^bb0(%in: i64, %out: i16):
      %extracted_7 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_7 : i32 to i64
      %extracted_8 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_8 : i32 to i64
      %3 = arith.muli %in, %1 : i64
      %4 = arith.subi %2, %c1_i64 : i64
      %5 = arith.shli %c1_i64, %4 : i64
      %6 = arith.addi %3, %5 : i64
      %7 = arith.shrsi %6, %2 : i64
      %8 = arith.maxsi %7, %c-32768_i64 : i64
      %9 = arith.minsi %8, %c32767_i64 : i64
      %10 = arith.trunci %9 : i64 to i16
      linalg.yield %10 : i16
    } -> tensor<3xi16>
    %mean_default_6 = tensor.expand_shape %mean_default_5 [[0, 1, 2]] output_shape [1, 3, 1] : tensor<3xi16> into tensor<1x3x1xi16>
    return %mean_default_6 : tensor<1x3x1xi16>
  }
}
