#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%a: tensor<1x3x4xi16>, %b: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[1053201625, 703889368]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[-419107722, 32149474]> : tensor<2xi32>
    %constant_2 = arith.constant dense<[31, 33]> : tensor<2xi32>
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %add_default = tensor.empty() : tensor<1x3x4xi16>
    %add_default_0 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%a, %b : tensor<1x3x4xi16>, tensor<1x3x4xi16>) outs(%add_default : tensor<1x3x4xi16>) {
    ^bb0(%in: i16, %in_1: i16, %out: i16):
      %extracted_2 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_2 : i32 to i64
      %extracted_3 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_3 : i32 to i64
      %extracted_4 = tensor.extract %constant_2[%0] : tensor<2xi32>
      %3 = arith.extsi %extracted_4 : i32 to i64
      %4 = arith.extsi %in : i16 to i64
      %5 = arith.muli %4, %1 : i64
      %6 = arith.extsi %in_1 : i16 to i64
      %7 = arith.muli %6, %2 : i64
      %8 = arith.addi %5, %7 : i64
      %9 = arith.subi %3, %c1_i64 : i64
      %10 = arith.shli %c1_i64, %9 : i64
      %11 = arith.addi %8, %10 : i64
      %12 = arith.shrsi %11, %3 : i64
      %13 = arith.maxsi %12, %c-32768_i64 : i64
      %14 = arith.minsi %13, %c32767_i64 : i64
      %15 = arith.trunci %14 : i64 to i16
      linalg.yield %15 : i16
    } -> tensor<1x3x4xi16>
    return %add_default_0 : tensor<1x3x4xi16>
  }
}
