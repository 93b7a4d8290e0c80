#pragma once

#include "gantry/runtime/shim_protocol.h"

/// `<state_dir>/exit.json`: how the container ended. Its block is reserved beforehand, so that a full disk does not
/// lose it.
namespace gantry::shim {

void reserve_exit_record(int state_dir);
/// Atomic, and there for whoever reads it next, also when the daemon was killed. Not flushed to the disk: a machine
/// that goes down takes every run with it, and a flush would make each end wait for all that others write.
void write_exit_record(int state_dir, const runtime::shim::Status& status);

}  // namespace gantry::shim
