/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_KERNEL_H
#define _ARENA_UNIT_KERNEL_H

#define DIV_ROUND_UP(n, d) ({		\
	typeof(d) _div_d = (d);		\
	((n) + _div_d - 1) / _div_d; })

#define min(x, y) ({			\
	typeof(x) _min_x = (x);		\
	typeof(y) _min_y = (y);		\
	_min_x < _min_y ? _min_x : _min_y; })

#endif
