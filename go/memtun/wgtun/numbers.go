// SPDX-License-Identifier: MIT

package wgtun

import "runtime"

// The numbers of recvmmsg(2) and sendmmsg(2), which package syscall does not have for each
// architecture; 0: unknown here.
var sysRecvmmsg, sysSendmmsg = batchCalls(runtime.GOARCH)

func batchCalls(architecture string) (receive, send uintptr) {
	switch architecture {
	case "amd64":
		return 299, 307
	case "386":
		return 337, 345
	case "arm":
		return 365, 374
	case "arm64", "loong64", "riscv64":
		return 243, 269 // <asm-generic/unistd.h>
	case "ppc64", "ppc64le":
		return 343, 349
	case "s390x":
		return 357, 358
	}
	return 0, 0
}
