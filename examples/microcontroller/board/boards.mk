# How a program is compiled for each machine, run there, and compared with the host's. Whoever includes this says:
#
#   BUILD    where everything goes         BUNDLE   what dgqc compiled
#   C        the C project in it           MAIN     the program's own sources
#   DEFINES  macros for the compiler       SIZES    what a linker script takes, as FLASH_BYTES and RAM_BYTES
#
# and has a rule that makes $(BUNDLE)/manifest.json. On Cortex-M nothing is linked but these sources and libgcc.

PYTHON ?= python3
comma := ,
BOARD := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
CROSS := arm-none-eabi-

COMMON := -std=c99 -Wall -Wextra -Werror -pedantic $(DEFINES) -I$(C)/include -I$(C)/src -I$(BOARD)
BARE := -ffreestanding -ffunction-sections -fdata-sections -fstack-usage -mthumb -nostdlib -Wl,--gc-sections -L$(BOARD) \
    $(addprefix -Wl$(comma)--defsym=,$(SIZES))
ON_BOARD := $(MAIN) $(addprefix $(BOARD)/,printing.c startup.c memory.c console_semihosting.c counter_systick.c)
HOSTED := $(MAIN) $(addprefix $(BOARD)/,printing.c console_stdio.c counter_none.c)
KNOWN := $(wildcard $(BOARD)/*.h $(BOARD)/*.ld) $(BUNDLE)/manifest.json

FLAGS_m3 := -mcpu=cortex-m3 -mfloat-abi=soft -O2 -T mps2.ld
FLAGS_m4 := -mcpu=cortex-m4 -mfloat-abi=soft -O2 -T mps2.ld
FLAGS_m55 := -mcpu=cortex-m55 -mfloat-abi=hard -O3 -T mps3.ld
MACHINE_m3 := mps2-an385
MACHINE_m4 := mps2-an386
MACHINE_m55 := mps3-an547

BOARDS := $(if $(and $(shell command -v $(CROSS)gcc),$(shell command -v qemu-system-arm)),m3 m4 m55)
USERS := $(foreach machine,aarch64 riscv64,$(if $(and $(shell command -v $(machine)-linux-gnu-gcc),$(shell command -v qemu-$(machine))),$(machine)))
QEMU := qemu-system-arm -nographic -monitor none -serial null -icount shift=0 \
    -chardev stdio,id=console -semihosting-config enable=on,target=native,chardev=console

# What the program's text must be, whatever draws it; lines that begin with # are counters.
SAME = grep -v '^\#' $< | cmp - $(BUILD)/host.text && echo "$*: every bit as on the host"

.PHONY: run size clean
run: $(BUILD)/host.text $(addprefix agree-,$(BOARDS) $(USERS))
	@for machine in m3 m4 m55 aarch64 riscv64; do \
	    case " $(BOARDS) $(USERS) " in *" $$machine "*) ;; *) echo "$$machine: skipped, its compiler or its qemu is missing" ;; esac; \
	done

agree-%: $(BUILD)/%.output $(BUILD)/host.text
	@$(SAME)

$(BUILD)/host.elf: $(HOSTED) $(KNOWN)
	$(CC) $(COMMON) -O2 $(HOSTED) $(C)/src/*.c -o $@

$(BUILD)/host.output: $(BUILD)/host.elf
	$(abspath $<) > $@

$(BUILD)/host.text: $(BUILD)/host.output
	grep -v '^#' $< > $@

$(BUILD)/aarch64.elf $(BUILD)/riscv64.elf: $(BUILD)/%.elf: $(HOSTED) $(KNOWN)
	$*-linux-gnu-gcc $(COMMON) -O2 -static $(HOSTED) $(C)/src/*.c -o $@

$(BUILD)/aarch64.output $(BUILD)/riscv64.output: $(BUILD)/%.output: $(BUILD)/%.elf
	qemu-$* $< > $@

$(BUILD)/m3.elf $(BUILD)/m4.elf $(BUILD)/m55.elf: $(BUILD)/%.elf: $(ON_BOARD) $(KNOWN)
	mkdir -p $(BUILD)/$*
	cd $(BUILD)/$* && for source in $(ON_BOARD) $(C)/src/*.c; do \
	    $(CROSS)gcc $(COMMON) $(BARE) $(FLAGS_$*) -c $$source || exit 1; done
	$(CROSS)gcc $(BARE) $(FLAGS_$*) $(BUILD)/$*/*.o -lgcc -o $@

$(BUILD)/m3.output $(BUILD)/m4.output $(BUILD)/m55.output: $(BUILD)/%.output: $(BUILD)/%.elf
	$(QEMU) -machine $(MACHINE_$*) -kernel $< > $@ || { cat $@; exit 1; }

size: $(addprefix $(BUILD)/,$(addsuffix .output,$(BOARDS)))
	@$(CROSS)size $(addprefix $(BUILD)/,$(addsuffix .elf,$(BOARDS)))
	@for board in $(BOARDS); do echo "$$board:"; grep '^# ' $(BUILD)/$$board.output | tail -2; \
	    echo "# largest frame: $$(cut -d: -f4 $(BUILD)/$$board/*.su | sort -t'	' -k2 -n | tail -1)"; done

clean:
	rm -rf $(BUILD)
