#map = affine_map<(d0, d1) -> (d0, d1)>
module {
  func.func @main(%x: tensor<1x4xi16>, %step: tensor<i64>) -> tensor<1x4xi16> {
    %constant_0 = arith.constant dense<[[[-30036, 10799, 9845, 19648]], [[13123, -11525, -2365, -665]]]> : tensor<2x1x4xi16>
    %constant_1 = arith.constant dense<[136638385, 91007936]> : tensor<2xi32>
    %constant_2 = arith.constant dense<[473872706, 275325482]> : tensor<2xi32>
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %c0 = arith.constant 0 : index
    %c25_i64 = arith.constant 25 : i64
    %c16777216_i64 = arith.constant 16777216 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %at_step_default = tensor.empty() : tensor<1x4xi16>
    %at_step_default_0 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel"]} outs(%at_step_default : tensor<1x4xi16>) {
    ^bb0(%out: i16):
      %1 = linalg.index 1 : index
      %extracted_1 = tensor.extract %constant_0[%0, %c0, %1] : tensor<2x1x4xi16>
      linalg.yield %extracted_1 : i16
    } -> tensor<1x4xi16>
    %add_default = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%x, %at_step_default_0 : tensor<1x4xi16>, tensor<1x4xi16>) outs(%at_step_default : tensor<1x4xi16>) {
    ^bb0(%in: i16, %in_1: i16, %out: i16):
      %extracted_2 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_2 : i32 to i64
      %extracted_3 = tensor.extract %constant_2[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_3 : i32 to i64
      %3 = arith.extsi %in : i16 to i64
      %4 = arith.muli %3, %1 : i64
      %5 = arith.extsi %in_1 : i16 to i64
      %6 = arith.muli %5, %2 : i64
      %7 = arith.addi %4, %6 : i64
      %8 = arith.addi %7, %c16777216_i64 : i64
      %9 = arith.shrsi %8, %c25_i64 : i64
      %10 = arith.maxsi %9, %c-32768_i64 : i64
      %11 = arith.minsi %10, %c32767_i64 : i64
      %12 = arith.trunci %11 : i64 to i16
      linalg.yield %12 : i16
    } -> tensor<1x4xi16>
    return %add_default : tensor<1x4xi16>
  }
}
