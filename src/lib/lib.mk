# The library without nginx, and what is made of nothing else: corr-render.
# An archive: a program takes only the objects it uses.

LIB_OBJS = $(patsubst src/lib/%.c,$(BUILD)/lib/%.o,$(wildcard src/lib/*.c))

$(BUILD)/lib/%.o: src/lib/%.c
	@mkdir -p $(@D)
	@$(CC) $(CORR_CFLAGS) -Werror -c -o $@ $<

$(BUILD)/libcorrespondence.a: $(LIB_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $(LIB_OBJS)

$(BUILD)/corr-render: src/tools/corr-render.c $(BUILD)/libcorrespondence.a
	@$(CC) $(CORR_CFLAGS) -Werror -MF $(BUILD)/lib/corr-render.d \
	    $(CORR_LDFLAGS) -o $@ $< $(BUILD)/libcorrespondence.a -lyajl -lm

-include $(wildcard $(BUILD)/lib/*.d)
