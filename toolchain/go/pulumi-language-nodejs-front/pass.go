package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// genuineName is the file of the genuine host, in the folder of this program.
const genuineName = "genuine-language-nodejs"

// host is the genuine language host, started by the first call for it.
type host struct {
	args []string

	once    sync.Once
	conn    *grpc.ClientConn
	err     error
	mutex   sync.Mutex
	process *os.Process
	copied  chan struct{}
}

// pass hands a call on. Each method takes one message; some answer with several.
func (h *host) pass(method string, from grpc.ServerStream) error {
	h.once.Do(func() { h.conn, h.err = h.start() })
	if h.err != nil {
		return h.err
	}
	ctx := from.Context()
	if incoming, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, incoming)
	}
	to, err := h.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	var message []byte
	if err := from.RecvMsg(&message); err != nil {
		return err
	}
	if err := to.SendMsg(&message); err != nil && err != io.EOF {
		return err
	}
	if err := to.CloseSend(); err != nil {
		return err
	}
	for {
		if err := to.RecvMsg(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := from.SendMsg(&message); err != nil {
			return err
		}
	}
}

func (h *host) start() (*grpc.ClientConn, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(filepath.Join(filepath.Dir(self), genuineName), h.args...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startForLife(command); err != nil {
		return nil, fmt.Errorf("the genuine language host does not start: %w", err)
	}
	lines := bufio.NewReader(stdout)
	port, err := lines.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the genuine language host named no port: %w", err)
	}
	copied := make(chan struct{})
	go func() {
		// What the program prints comes this way.
		io.Copy(os.Stdout, lines)
		close(copied)
		command.Wait()
		os.Exit(command.ProcessState.ExitCode() & 0xff)
	}()
	h.mutex.Lock()
	h.process, h.copied = command.Process, copied
	h.mutex.Unlock()
	return grpc.NewClient("passthrough:///127.0.0.1:"+strings.TrimSpace(port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(maxMessageBytes)))
}

// stop ends the genuine host, and returns when all that its program printed has been passed on.
func (h *host) stop() {
	h.mutex.Lock()
	process, copied := h.process, h.copied
	h.mutex.Unlock()
	if process == nil {
		return
	}
	process.Signal(syscall.SIGINT)
	<-copied
}

// startForLife starts a command whose Pdeathsig is to come at the end of this process: Linux sends it when the thread
// that started the command ends, so that one is kept.
func startForLife(command *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- command.Start()
		select {}
	}()
	return <-started
}

// bytesCodec leaves messages as they are on the wire.
type bytesCodec struct{}

func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (bytesCodec) Name() string { return "proto" }
