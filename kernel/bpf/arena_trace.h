/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bpf_arena

#if !defined(_BPF_ARENA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BPF_ARENA_TRACE_H

#include <linux/bpf.h>
#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(BPF_ARENA_LOAD);
TRACE_DEFINE_ENUM(BPF_ARENA_STORE);
TRACE_DEFINE_ENUM(BPF_ARENA_ATOMIC);

/* An access of the program, by its insn @insn, to @addr, where no page is. */
TRACE_EVENT(bpf_arena_fault,
	    TP_PROTO(u32 prog_id, u32 insn, u64 addr,
		     enum bpf_arena_access access),
	    TP_ARGS(prog_id, insn, addr, access),

	    TP_STRUCT__entry(__field(u64, addr)
			     __field(u32, prog_id)
			     __field(u32, insn)
			     __field(u32, access)),

	    TP_fast_assign(__entry->addr = addr;
			   __entry->prog_id = prog_id;
			   __entry->insn = insn;
			   __entry->access = access;),

	    TP_printk("prog_id=%u insn=%u access=%s addr=%#llx",
		      __entry->prog_id, __entry->insn,
		      __print_symbolic(__entry->access,
				       { BPF_ARENA_LOAD, "load" },
				       { BPF_ARENA_STORE, "store" },
				       { BPF_ARENA_ATOMIC, "atomic" }),
		      __entry->addr)
);

#endif /* _BPF_ARENA_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE arena_trace
#include <trace/define_trace.h>
