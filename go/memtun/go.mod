// SPDX-License-Identifier: MIT
module memtun

go 1.19
