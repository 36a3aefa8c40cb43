#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d2)>
module {
  func.func @main(%a: tensor<1x3x4xi16>, %b: tensor<1x1x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[385844326, 652561711]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[47, 43]> : tensor<2xi32>
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %mul_default = tensor.collapse_shape %b [[0], [1, 2]] : tensor<1x1x4xi16> into tensor<1x4xi16>
    %mul_default_0 = tensor.empty() : tensor<1x3x4xi16>
    %mul_default_1 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%a, %mul_default : tensor<1x3x4xi16>, tensor<1x4xi16>) outs(%mul_default_0 : tensor<1x3x4xi16>) {
    ^bb0(%in: i16, %in_2: i16, %out: i16):
      %1 = arith.extsi %in : i16 to i64
      %2 = arith.extsi %in_2 : i16 to i64
      %3 = arith.muli %1, %2 : i64
      %extracted_3 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %4 = arith.extsi %extracted_3 : i32 to i64
      %extracted_4 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %5 = arith.extsi %extracted_4 : i32 to i64
      %6 = arith.muli %3, %4 : i64
      %7 = arith.subi %5, %c1_i64 : i64
      %8 = arith.shli %c1_i64, %7 : i64
      %9 = arith.addi %6, %8 : i64
      %10 = arith.shrsi %9, %5 : i64
      %11 = arith.maxsi %10, %c-32768_i64 : i64
      %12 = arith.minsi %11, %c32767_i64 : i64
      %13 = arith.trunci %12 : i64 to i16
      linalg.yield %13 : i16
    } -> tensor<1x3x4xi16>
    return %mul_default_1 : tensor<1x3x4xi16>
  }
}
