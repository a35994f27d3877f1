// SPDX-License-Identifier: GPL-2.0
/* Any bytes are a size and a sequence of operations. */
#include <linux/types.h>

#include "harness.h"
#include "model.h"

/* The name that libFuzzer calls. */
int run_input(const unsigned char *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

static u32 get_u16(const unsigned char *data)
{
	return data[0] | data[1] << 8;
}

int run_input(const unsigned char *data, size_t size)
{
	struct model m;
	u32 nr;

	if (size < 2)
		return 0;

	nr = 1 + get_u16(data) % 8200;
	model_init(&m, nr);
	for (data += 2, size -= 2; size >= 5; data += 5, size -= 5)
		model_op(&m, data[0] % NR_OPS, get_u16(data + 1), get_u16(data + 3) % (nr + 2));
	model_verify(&m);
	model_exit(&m);
	return 0;
}
