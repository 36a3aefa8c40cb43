#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[398764591, 1478610112]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[33, 28]> : tensor<2xi32>
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %rescale_default = tensor.empty() : tensor<1x3x4xi16>
    %rescale_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<1x3x4xi16>) outs(%rescale_default : tensor<1x3x4xi16>) {
    ^bb0(%in: i16, %out: i16):
      %1 = arith.extsi %in : i16 to i64
      %extracted_1 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_1 : i32 to i64
      %extracted_2 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %3 = arith.extsi %extracted_2 : i32 to i64
      %4 = arith.muli %1, %2 : i64
      %5 = arith.subi %3, %c1_i64 : i64
      %6 = arith.shli %c1_i64, %5 : i64
      %7 = arith.addi %4, %6 : i64
      %8 = arith.shrsi %7, %3 : i64
      %9 = arith.maxsi %8, %c-32768_i64 : i64
      %10 = arith.minsi %9, %c32767_i64 : i64
      %11 = arith.trunci %10 : i64 to i16
      linalg.yield %11 : i16
    } -> tensor<1x3x4xi16>
    return %rescale_default_0 : tensor<1x3x4xi16>
  }
}
