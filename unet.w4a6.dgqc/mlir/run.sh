#!/bin/sh
# Compiles the module for this machine and compares its outputs with the vectors, bit by bit.
set -e
cd "$(dirname "$0")"
[ model.vmfb -nt model.mlir ] || iree-compile model.mlir --iree-hal-target-backends=llvm-cpu --iree-llvmcpu-target-cpu=host --iree-opt-level=O3 --iree-opt-data-tiling -o model.vmfb
for vector in vectors/step_0 vectors/step_12 vectors/step_24; do
    iree-run-module --module=model.vmfb --device=local-task --function=main \
        --input="@$vector/sample.npy" --input="@$vector/step.npy" --output=@output.npy
    cmp output.npy "$vector/output.npy"
    echo "$vector: every bit agrees"
done
