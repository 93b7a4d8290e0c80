#pragma once

#include <cstddef>
#include <cstdint>

#include "gantry/runtime/shim_protocol.h"

/// The daemon's connections. One chunk of output is on its way at a time: while an attached client has no room for it,
/// `busy` holds and the program is not read; a client that makes no room for kStallLimit is dropped.
namespace gantry::shim::clients {

inline constexpr int kMost = 24;
inline constexpr std::int64_t kStallLimit = 5000;  // milliseconds

/// Reads for the next chunk go straight in here.
char* chunk();

/// `listener` is a bound SOCK_SEQPACKET socket; `token` + n is the epoll data of client n.
void begin(int epoll, int listener, std::uint32_t token);
void accept_all();
/// Answers every hello that was said before now, in whatever order the clients would be looked at.
void greet_all();
void on_event(int client, std::uint32_t events);
int count();

/// Sends chunk()[0, size) to every attached client. Not while busy.
void send_chunk(runtime::shim::Message type, std::size_t size);
bool busy();
/// Milliseconds until a stalled client is dropped; -1: nobody is waited for.
int stall_timeout();
void drop_stalled();

void broadcast(const runtime::shim::Status& status);
void broadcast_trace(const char* text, std::size_t size);
void broadcast_failure(const char* text, std::size_t size);
/// Stops and goes on taking messages from attached clients, whose input then waits in their sockets.
void hold_input(bool hold);

/// Given by run.cpp: a message that the state allows. `status` is the answer to a control client's hello.
void on_message(runtime::shim::Message type, const char* data, std::size_t size);
const runtime::shim::Status& current_status();

}  // namespace gantry::shim::clients
