#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0, d1) -> (d1)>
module {
  func.func @main(%x: tensor<1x3x4xi16>, %step: tensor<i64>) -> tensor<1x3x4xi16> {
    %constant_0 = arith.constant dense<[-1539066659, 255357751, -168753600, -463277012]> : tensor<4xi32>
    %constant_1 = arith.constant dense<[699522771, 1024906994]> : tensor<2xi32>
    %constant_6 = arith.constant dense<[5744072777, 7078844309]> : tensor<2xi64>
    %reciprocal_root = arith.constant dense_resource<reciprocal_root> : tensor<48xi64>
    %constant_2 = arith.constant dense<[17, 33]> : tensor<2xi32>
    %c0_i64 = arith.constant 0 : i64
    %c1073741824_i64 = arith.constant 1073741824 : i64
    %c31_i64 = arith.constant 31 : i64
    %c256_i64 = arith.constant 256 : i64
    %c4294967296_i64 = arith.constant 4294967296 : i64
    %c32_i64 = arith.constant 32 : i64
    %c65536_i64 = arith.constant 65536 : i64
    %c16_i64 = arith.constant 16 : i64
    %c8_i64 = arith.constant 8 : i64
    %c4_i64 = arith.constant 4 : i64
    %c2_i64 = arith.constant 2 : i64
    %c1_i64 = arith.constant 1 : i64
    %c28_i64 = arith.constant 28 : i64
    %c-2_i64 = arith.constant -2 : i64
    %c24_i64 = arith.constant 24 : i64
    %c30_i64 = arith.constant 30 : i64
    %c3221225472_i64 = arith.constant 3221225472 : i64
    %c10_i64 = arith.constant 10 : i64
    %c63_i64 = arith.constant 63 : i64
    %c62_i64 = arith.constant 62 : i64
    %c-32768_i64 = arith.constant -32768 : i64
    %c32767_i64 = arith.constant 32767 : i64
    %c-10_i64 = arith.constant -10 : i64
    %extracted = tensor.extract %step[] : tensor<i64>
    %0 = arith.index_cast %extracted : i64 to index
    %rms_norm_default = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x3x4xi16> into tensor<3x4xi16>
    %rms_norm_default_0 = tensor.empty() : tensor<3xi64>
    %rms_norm_default_1 = linalg.fill ins(%c0_i64 : i64) outs(%rms_norm_default_0 : tensor<3xi64>) -> tensor<3xi64>
    %rms_norm_default_2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%rms_norm_default : tensor<3x4xi16>) outs(%rms_norm_default_1 : tensor<3xi64>) {
    ^bb0(%in: i16, %out: i64):
      %1 = arith.extsi %in : i16 to i64
      %2 = arith.muli %1, %1 : i64
      %3 = arith.addi %out, %2 : i64
      linalg.yield %3 : i64
    } -> tensor<3xi64>
    %rms_norm_default_3 = tensor.empty() : tensor<4xi64>
    %rms_norm_default_4 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%constant_0 : tensor<4xi32>) outs(%rms_norm_default_3 : tensor<4xi64>) {
    ^bb0(%in: i32, %out: i64):
      %1 = arith.extsi %in : i32 to i64
      %extracted_10 = tensor.extract %constant_1[%0] : tensor<2xi32>
      %2 = arith.extsi %extracted_10 : i32 to i64
      %3 = arith.muli %1, %2 : i64
      %4 = arith.addi %3, %c1073741824_i64 : i64
      %5 = arith.shrsi %4, %c31_i64 : i64
      linalg.yield %5 : i64
    } -> tensor<4xi64>
    %rms_norm_default_5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%rms_norm_default_2 : tensor<3xi64>) outs(%rms_norm_default_0 : tensor<3xi64>) {
    ^bb0(%in: i64, %out: i64):
      %1 = arith.muli %in, %c256_i64 : i64
      %extracted_10 = tensor.extract %constant_6[%0] : tensor<2xi64>
      %2 = arith.addi %1, %extracted_10 : i64
      %3 = arith.cmpi sge, %2, %c4294967296_i64 : i64
      %4 = arith.select %3, %c32_i64, %c0_i64 : i64
      %5 = arith.shrsi %2, %4 : i64
      %6 = arith.cmpi sge, %5, %c65536_i64 : i64
      %7 = arith.select %6, %c16_i64, %c0_i64 : i64
      %8 = arith.addi %4, %7 : i64
      %9 = arith.shrsi %5, %7 : i64
      %10 = arith.cmpi sge, %9, %c256_i64 : i64
      %11 = arith.select %10, %c8_i64, %c0_i64 : i64
      %12 = arith.addi %8, %11 : i64
      %13 = arith.shrsi %9, %11 : i64
      %14 = arith.cmpi sge, %13, %c16_i64 : i64
      %15 = arith.select %14, %c4_i64, %c0_i64 : i64
      %16 = arith.addi %12, %15 : i64
      %17 = arith.shrsi %13, %15 : i64
      %18 = arith.cmpi sge, %17, %c4_i64 : i64
      %19 = arith.select %18, %c2_i64, %c0_i64 : i64
      %20 = arith.addi %16, %19 : i64
      %21 = arith.shrsi %17, %19 : i64
      %22 = arith.cmpi sge, %21, %c2_i64 : i64
      %23 = arith.extui %22 : i1 to i64
      %24 = arith.addi %20, %23 : i64
      %25 = arith.subi %24, %c28_i64 : i64
      %26 = arith.shrsi %25, %c1_i64 : i64
      %27 = arith.muli %26, %c2_i64 : i64
      %28 = arith.maxsi %27, %c0_i64 : i64
      %29 = arith.muli %26, %c-2_i64 : i64
      %30 = arith.maxsi %29, %c0_i64 : i64
      %31 = arith.shrsi %2, %28 : i64
      %32 = arith.shli %31, %30 : i64
      %33 = arith.shrsi %32, %c24_i64 : i64
      %34 = arith.subi %33, %c16_i64 : i64
      %35 = arith.index_cast %34 : i64 to index
      %extracted_11 = tensor.extract %reciprocal_root[%35] : tensor<48xi64>
      %36 = arith.muli %extracted_11, %extracted_11 : i64
      %37 = arith.shrsi %36, %c30_i64 : i64
      %38 = arith.muli %37, %32 : i64
      %39 = arith.shrsi %38, %c30_i64 : i64
      %40 = arith.subi %c3221225472_i64, %39 : i64
      %41 = arith.muli %extracted_11, %40 : i64
      %42 = arith.shrsi %41, %c31_i64 : i64
      %43 = arith.muli %42, %42 : i64
      %44 = arith.shrsi %43, %c30_i64 : i64
      %45 = arith.muli %44, %32 : i64
      %46 = arith.shrsi %45, %c30_i64 : i64
      %47 = arith.subi %c3221225472_i64, %46 : i64
      %48 = arith.muli %42, %47 : i64
      %49 = arith.shrsi %48, %c31_i64 : i64
      %50 = arith.muli %49, %49 : i64
      %51 = arith.shrsi %50, %c30_i64 : i64
      %52 = arith.muli %51, %32 : i64
      %53 = arith.shrsi %52, %c30_i64 : i64
      %54 = arith.subi %c3221225472_i64, %53 : i64
      %55 = arith.muli %49, %54 : i64
      %56 = arith.shrsi %55, %c31_i64 : i64
      linalg.yield %56 : i64
    } -> tensor<3xi64>
    %rms_norm_default_6 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%rms_norm_default_2 : tensor<3xi64>) outs(%rms_norm_default_0 : tensor<3xi64>) {
    ^bb0(%in: i64, %out: i64):
      %1 = arith.muli %in, %c256_i64 : i64
      %extracted_10 = tensor.extract %constant_6[%0] : tensor<2xi64>
      %2 = arith.addi %1, %extracted_10 : i64
      %3 = arith.cmpi sge, %2, %c4294967296_i64 : i64
      %4 = arith.select %3, %c32_i64, %c0_i64 : i64
      %5 = arith.shrsi %2, %4 : i64
      %6 = arith.cmpi sge, %5, %c65536_i64 : i64
      %7 = arith.select %6, %c16_i64, %c0_i64 : i64
      %8 = arith.addi %4, %7 : i64
      %9 = arith.shrsi %5, %7 : i64
      %10 = arith.cmpi sge, %9, %c256_i64 : i64
      %11 = arith.select %10, %c8_i64, %c0_i64 : i64
      %12 = arith.addi %8, %11 : i64
      %13 = arith.shrsi %9, %11 : i64
      %14 = arith.cmpi sge, %13, %c16_i64 : i64
      %15 = arith.select %14, %c4_i64, %c0_i64 : i64
      %16 = arith.addi %12, %15 : i64
      %17 = arith.shrsi %13, %15 : i64
      %18 = arith.cmpi sge, %17, %c4_i64 : i64
      %19 = arith.select %18, %c2_i64, %c0_i64 : i64
      %20 = arith.addi %16, %19 : i64
      %21 = arith.shrsi %17, %19 : i64
      %22 = arith.cmpi sge, %21, %c2_i64 : i64
      %23 = arith.extui %22 : i1 to i64
      %24 = arith.addi %20, %23 : i64
      %25 = arith.subi %24, %c28_i64 : i64
      %26 = arith.shrsi %25, %c1_i64 : i64
      linalg.yield %26 : i64
    } -> tensor<3xi64>
    %rms_norm_default_7 = tensor.empty() : tensor<3x4xi16>
    %rms_norm_default_8 = linalg.generic {indexing_maps = [#map, #map1, #map1, #map3, #map], iterator_types = ["parallel", "parallel"]} ins(%rms_norm_default, %rms_norm_default_5, %rms_norm_default_6, %rms_norm_default_4 : tensor<3x4xi16>, tensor<3xi64>, tensor<3xi64>, tensor<4xi64>) outs(%rms_norm_default_7 : tensor<3x4xi16>) {
    ^bb0(%in: i16, %in_10: i64, %in_11: i64, %in_12: i64, %out: i16):
      %extracted_13 = tensor.extract %constant_2[%0] : tensor<2xi32>
      %1 = arith.extsi %extracted_13 : i32 to i64
      %2 = arith.addi %in_11, %1 : i64
      %3 = arith.addi %2, %c10_i64 : i64
      %4 = arith.extsi %in : i16 to i64
      %5 = arith.muli %in_10, %in_12 : i64
      %6 = arith.shrsi %5, %c31_i64 : i64
      %7 = arith.muli %4, %6 : i64
      %8 = arith.subi %c-10_i64, %2 : i64
      %9 = arith.maxsi %8, %c0_i64 : i64
      %10 = arith.minsi %9, %c63_i64 : i64
      %11 = arith.shli %7, %10 : i64
      %12 = arith.cmpi sge, %3, %c1_i64 : i64
      %13 = arith.maxsi %3, %c1_i64 : i64
      %14 = arith.minsi %13, %c62_i64 : i64
      %15 = arith.subi %14, %c1_i64 : i64
      %16 = arith.shli %c1_i64, %15 : i64
      %17 = arith.addi %7, %16 : i64
      %18 = arith.shrsi %17, %14 : i64
      %19 = arith.select %12, %18, %11 : i64
      %20 = arith.maxsi %19, %c-32768_i64 : i64
      %21 = arith.minsi %20, %c32767_i64 : i64
      %22 = arith.trunci %21 : i64 to i16
      linalg.yield %22 : i16
    } -> tensor<3x4xi16>
    %rms_norm_default_9 = tensor.expand_shape %rms_norm_default_8 [[0, 1], [2]] output_shape [1, 3, 4] : tensor<3x4xi16> into tensor<1x3x4xi16>
    return %rms_norm_default_9 : tensor<1x3x4xi16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      reciprocal_root: "0x0800000021B20B7E000000006B33647A00000000FB9E0977000000008DF6F1730000000044F6147100000000E9B66B6E000000006267F06B00000000D0169E6900000000F98A706700000000AE1F64650000000016AD7563000000002073A26100000000FC08E85F00000000AF4F445E000000001167B55C00000000C7A4395B00000000BC8CCF5900000000DECA755800000000E02D2B5700000000C4A2EE55000000001A31BF5400000000CDF79B53000000005F2A8452000000008F0E77510000000050FA73500000000002527A4F00000000EA86894E00000000DA15A14D000000000586C04C00000000F567E74B00000000A654154B00000000B3EC494A00000000A4D78449000000004BC3C5480000000032630C48000000001C7058470000000094A7A9460000000080CBFF4500000000CBA15A45000000000BF4B944000000003B8F1D44000000007443854300000000AEE3F042000000008E456042000000002A41D34100000000E5B04941000000003B71C34000000000A160404000000000"
    }
  }
#-}
