#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_4 = arith.constant dense_resource<constant_4> : tensor<3x64xi32>
    %constant_0 = arith.constant dense<[2732, 43567]> : tensor<2xi32>
    %constant_1 = arith.constant dense<[38, 31]> : tensor<2xi32>
    %constant_2 = arith.constant dense<[389877925, 549716482]> : tensor<2xi32>
    %constant_3 = arith.constant dense<[52, 48]> : tensor<2xi32>
    %c0_i32 = arith.constant 0 : i32
    %c31_i32 = arith.constant 31 : i32
    %c524287_i32 = arith.constant 524287 : i32
    %c13_i32 = arith.constant 13 : i32
    %c8191_i32 = arith.constant 8191 : i32
    %c4096_i32 = arith.constant 4096 : i32
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c16384_i32 = arith.constant 16384 : i32
    %c15_i32 = arith.constant 15 : i32
    %c65536_i32 = arith.constant 65536 : i32
    %c1_i64 = arith.constant 1 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %activation_default = tensor.empty() : tensor<1x3x4xi16>
    %activation_default_0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<1x3x4xi16>) outs(%activation_default : tensor<1x3x4xi16>) {
    ^bb0(%in: i16, %out: i16):
      %1 = arith.extsi %in : i16 to i32
      %extracted_1 = tensor.extract %constant_0[%0] : tensor<2xi32>
      %extracted_2 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %2 = arith.subi %c0_i32, %1 : i32
      %3 = arith.maxsi %1, %2 : i32
      %4 = arith.muli %3, %extracted_1 : i32
      %5 = arith.minsi %extracted_2, %c31_i32 : i32
      %6 = arith.shrsi %4, %5 : i32
      %7 = arith.minsi %6, %c524287_i32 : i32
      %8 = arith.shrsi %7, %c13_i32 : i32
      %9 = arith.index_cast %8 : i32 to index
      %10 = arith.andi %7, %c8191_i32 : i32
      %11 = arith.subi %10, %c4096_i32 : i32
      %extracted_3 = tensor.extract %constant_4[%c0, %9] : tensor<3x64xi32>
      %extracted_4 = tensor.extract %constant_4[%c1, %9] : tensor<3x64xi32>
      %extracted_5 = tensor.extract %constant_4[%c2, %9] : tensor<3x64xi32>
      %12 = arith.muli %extracted_5, %11 : i32
      %13 = arith.addi %12, %c16384_i32 : i32
      %14 = arith.shrsi %13, %c15_i32 : i32
      %15 = arith.subi %extracted_4, %14 : i32
      %16 = arith.muli %15, %11 : i32
      %17 = arith.addi %16, %c16384_i32 : i32
      %18 = arith.shrsi %17, %c15_i32 : i32
      %19 = arith.subi %extracted_3, %18 : i32
      %20 = arith.cmpi sge, %1, %c0_i32 : i32
      %21 = arith.subi %c65536_i32, %19 : i32
      %22 = arith.select %20, %21, %19 : i32
      %23 = arith.muli %1, %22 : i32
      %24 = arith.extsi %23 : i32 to i64
      %extracted_6 = tensor.extract %constant_2[%0] : tensor<2xi32>
      %25 = arith.extsi %extracted_6 : i32 to i64
      %26 = arith.muli %24, %25 : i64
      %extracted_7 = tensor.extract %constant_3[%0] : tensor<2xi32>
      %27 = arith.extsi %extracted_7 : i32 to i64
      %28 = arith.subi %27, %c1_i64 : i64
      %29 = arith.shli %c1_i64, %28 : i64
      %30 = arith.addi %26, %29 : i64
      %31 = arith.shrsi %30, %27 : i64
      %32 = arith.maxsi %31, %c-32768_i64 : i64
      %33 = arith.minsi %32, %c32767_i64 : i64
      %34 = arith.trunci %33 : i64 to i16
      linalg.yield %34 : i16
    } -> tensor<1x3x4xi16>
    return %activation_default_0 : tensor<1x3x4xi16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      constant_4: "0x04000000037800004768000041590000524B0000BE3E0000AA3300001E2A00000A220000501B0000C91500004B110000AC0D0000C60A000078080000A506000035050000120400002F0300007C020000F1010000830100002E010000EC000000B80000008F0000006F000000570000004400000035000000290000002000000019000000130000000F0000000C0000000900000007000000060000000400000003000000030000000200000002000000010000000100000001000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000B03F0000BF3D0000183A0000223500005B2F00003E29000033230000881D00006B180000F413000025100000F50C0000560A0000340800007C0600001C050000040400002603000077020000EE010000820100002D010000EB000000B70000008F0000006F000000570000004400000035000000290000002000000019000000130000000F0000000C0000000900000007000000060000000400000003000000030000000200000002000000010000000100000001000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000FC010000B7050000C9080000EC0A00000F0C0000490C0000CC0B0000D40A00009809000045080000F9060000C8050000BA040000D40300001203000073020000F10100008901000035010000F3000000BE00000095000000750000005B00000047000000370000002B000000220000001A00000015000000100000000C0000000A00000008000000060000000500000004000000030000000200000002000000010000000100000001000000010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  }
#-}
