# SPDX-License-Identifier: MIT
# Compile the same 60 files of this project each time, into $(OUT). figures_wrap.c measures how long
# that takes with `make -j2`, under memtun wrap and without it. $(COMPILE) is automake's.
sources := $(wordlist 1,60,$(sort $(foreach room,\
	common common/frame client/io client/lib broker/engine broker/switch,\
	$(wildcard $(top_srcdir)/$(room)/*.c))))

all: $(sources:$(top_srcdir)/%.c=$(OUT)/%.o)

$(OUT)/%.o: $(top_srcdir)/%.c
	@mkdir -p $(@D)
	@$(COMPILE) -O0 -U_FORTIFY_SOURCE -c -o $@ $<
