// SPDX-License-Identifier: MIT

package memtun

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endTime is how long memtund may take to end. It takes milliseconds.
const endTime = 10 * time.Second

// killTime is how long a program may take to end that did not listen in time.
const killTime = time.Second

// BrokerConfig tells how to start a broker. The zero value is a memtund without options.
type BrokerConfig struct {
	// Program is the memtund to start; "" is the one in PATH.
	Program string
	// ManualClock makes a broker whose logical clock moves only by AdvanceClock and AdvanceToNext.
	ManualClock bool
	// Kernel allows tunnels and uplinks that are interfaces of the kernel.
	Kernel bool
	// Seed is the seed of rules that have none; nil: MEMTUN_SEED, or another one each time.
	Seed *uint64
	// Handoff are plain handoffs, each "PATH=NAME[:KEY=VALUE,...]".
	Handoff []string
	// LogLevel is that of memtund(1): error, warning, info or debug.
	LogLevel string
	// Stderr gets what memtund logs; nil: the standard error of this process.
	Stderr io.Writer
}

// Broker is a private broker, and a client of it.
type Broker struct {
	*Client
	process *brokerProcess
}

// StartBroker starts a memtund and connects to it. The broker ends with this process, whatever ends
// that, also SIGKILL. The context limits only the start.
func StartBroker(ctx context.Context, config BrokerConfig) (*Broker, error) {
	process, address, err := startProcess(ctx, config)
	if err != nil {
		return nil, err
	}
	client, err := Dial(ctx, address)
	if err != nil {
		process.end(endTime)
		return nil, err
	}
	return &Broker{client, process}, nil
}

// PID returns the process ID of memtund.
func (b *Broker) PID() int {
	return b.process.command.Process.Pid
}

// Environ returns the environment of this process with MEMTUN_SOCKET, for programs that are to find
// the broker: exec.Cmd.Env.
func (b *Broker) Environ() []string {
	return append(os.Environ(), "MEMTUN_SOCKET="+b.Address())
}

// Close ends the broker, and with it its tunnels. A second call does nothing.
func (b *Broker) Close() error {
	err := b.Client.Close()
	b.process.end(endTime)
	return err
}

// brokerProcess is a memtund that runs a command and ends with it. The command is cat, which reads a
// pipe. Only this process has the pipe's other end, so the kernel closes it when this process ends;
// cat reads the end of file, and memtund ends.
type brokerProcess struct {
	command *exec.Cmd
	input   *os.File
	output  *os.File
	once    sync.Once
}

// brokerCommand tells the address, then lives until the end of its input.
var brokerCommand = []string{"--", "/bin/sh", "-c", `echo "$MEMTUN_SOCKET" && exec cat >/dev/null`}

func (config BrokerConfig) command() *exec.Cmd {
	program := config.Program
	if program == "" {
		program = "memtund"
	}
	var arguments []string
	if config.ManualClock {
		arguments = append(arguments, "--clock", "manual")
	}
	if config.Kernel {
		arguments = append(arguments, "--kernel")
	}
	if config.LogLevel != "" {
		arguments = append(arguments, "--log-level", config.LogLevel)
	}
	for _, handoff := range config.Handoff {
		arguments = append(arguments, "--handoff", handoff)
	}
	command := exec.Command(program, append(arguments, brokerCommand...)...)
	command.Env = os.Environ()
	if config.Seed != nil {
		command.Env = append(command.Env, "MEMTUN_SEED="+uintText(*config.Seed))
	}
	command.Stderr = config.Stderr
	if command.Stderr == nil {
		command.Stderr = os.Stderr
	}
	// A session of its own: the interrupt key of a terminal does not end the broker before the
	// tests that use it.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command
}

// startProcess starts memtund and returns its address.
func startProcess(ctx context.Context, config BrokerConfig) (*brokerProcess, string, error) {
	command := config.command()
	process, err := startCommand(command)
	if err != nil {
		errno := syscall.ENOENT
		errors.As(err, &errno)
		return nil, "", newError(errno, "cannot start %s: %v", command.Path, err)
	}
	address, err := readAddress(ctx, process.output)
	if err != nil {
		if ctx.Err() != nil {
			// It may be a program that does not end with its input.
			command.Process.Signal(syscall.SIGTERM)
			process.end(killTime)
			return nil, "", contextError(ctx, command.Path+" does not listen")
		}
		process.end(endTime)
		return nil, "", newError(syscall.ECHILD, "%s ended before it listened (%v); its standard "+
			"error has its message", command.Path, command.ProcessState)
	}
	return process, address, nil
}

// startCommand starts a command with pipes as its standard input and output. The pipes are not those
// of package exec, which keeps the one that it has made if there is no descriptor for the other one.
func startCommand(command *exec.Cmd) (*brokerProcess, error) {
	itsInput, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer itsInput.Close()
	output, itsOutput, err := os.Pipe()
	if err != nil {
		input.Close()
		return nil, err
	}
	defer itsOutput.Close()
	command.Stdin, command.Stdout = itsInput, itsOutput
	if err := command.Start(); err != nil {
		input.Close()
		output.Close()
		return nil, err
	}
	return &brokerProcess{command: command, input: input, output: output}, nil
}

// readAddress reads the line that the command writes when the broker listens.
func readAddress(ctx context.Context, output *os.File) (string, error) {
	defer interrupt(ctx, output.SetReadDeadline)()
	line, err := bufio.NewReader(output).ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// end ends memtund and waits for it. After the time limit, it kills memtund.
func (p *brokerProcess) end(limit time.Duration) {
	p.once.Do(func() {
		p.input.Close()
		killer := time.AfterFunc(limit, func() { p.command.Process.Kill() })
		defer killer.Stop()
		p.command.Wait()
		p.output.Close()
	})
}
