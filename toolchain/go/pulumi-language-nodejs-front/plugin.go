package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// runPlugin runs a plugin in Node.js until it ends or the CLI leaves, and streams what it writes and its exit code.
func runPlugin(stream grpc.ServerStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	request := &pulumirpc.RunPluginRequest{}
	if err := proto.Unmarshal(message, request); err != nil {
		return err
	}
	out := &output{stream: stream}
	stdout := writer(func(text []byte) error {
		return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: text}})
	})
	stderr := writer(func(text []byte) error {
		return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: text}})
	})
	code, err := run(stream, request, stdout, stderr)
	if err != nil {
		return err
	}
	return out.send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

func run(stream grpc.ServerStream, request *pulumirpc.RunPluginRequest, stdout, stderr io.Writer) (int, error) {
	folder := request.GetInfo().GetProgramDirectory()
	module, pwd, args := "@pulumi/pulumi/cmd/run-plugin", request.GetPwd(), append([]string{folder}, request.GetArgs()...)
	if request.GetKind() == "analyzer" {
		// A policy pack takes its folder last, and runs in it.
		module, pwd, args = "@pulumi/pulumi/cmd/run-policy-pack", folder, append(request.GetArgs(), folder)
	}
	script, found := resolve(module, folder)
	if !found {
		// In the words of Node.js, from which the CLI concludes that the packages are not installed.
		fmt.Fprintf(stderr, "Error: Cannot find module '%s'\n", module)
		return 1, nil
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(stream.Context(), node, append([]string{script}, args...)...)
	command.Dir, command.Env = pwd, request.GetEnv()
	command.Stdout, command.Stderr = stdout, stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if typescript, set := request.GetInfo().GetOptions().AsMap()["typescript"]; !set || typescript == true {
		command.Env = append(command.Env, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if err := startForLife(command); err != nil {
		return 0, err
	}
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return command.ProcessState.ExitCode(), nil
}

// resolve finds the file of a module of an installed package as Node.js does, without the time to start that.
func resolve(module, folder string) (string, bool) {
	for {
		file := filepath.Join(folder, "node_modules", filepath.FromSlash(module), "index.js")
		if _, err := os.Stat(file); err == nil {
			return file, true
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", false
		}
		folder = parent
	}
}

// output sends one message at a time, which is what gRPC demands.
type output struct {
	mutex  sync.Mutex
	stream grpc.ServerStream
}

func (o *output) send(response *pulumirpc.RunPluginResponse) error {
	message, err := proto.Marshal(response)
	if err != nil {
		return err
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.stream.SendMsg(&message)
}

type writer func([]byte) error

func (send writer) Write(text []byte) (int, error) { return len(text), send(text) }
