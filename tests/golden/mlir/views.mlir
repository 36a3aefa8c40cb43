module {
  func.func @main(%x: tensor<1x3x8xi16>, %step: tensor<i64>) -> tensor<1x2x3x6xi16> {
    %expanded = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [1, 3, 2, 4] : tensor<1x3x8xi16> into tensor<1x3x2x4xi16>
    %0 = tensor.empty() : tensor<1x2x3x4xi16>
    %transposed = linalg.transpose ins(%expanded : tensor<1x3x2x4xi16>) outs(%0 : tensor<1x2x3x4xi16>) permutation = [0, 2, 1, 3] 
    %extracted_slice = tensor.extract_slice %transposed[0, 0, 0, 2] [1, 2, 3, 2] [1, 1, 1, 1] : tensor<1x2x3x4xi16> to tensor<1x2x3x2xi16>
    %concat = tensor.concat dim(3) %extracted_slice, %transposed : (tensor<1x2x3x2xi16>, tensor<1x2x3x4xi16>) -> tensor<1x2x3x6xi16>
    return %concat : tensor<1x2x3x6xi16>
  }
}
