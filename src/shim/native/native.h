#pragma once

namespace gantry::shim::native {

/// Before the container is known: the first process of the early plan is born, in its control groups, with everything
/// in place that every container has. It waits.
void stand_by();
/// It is not needed: it and its control groups go.
void give_up_standing_by();
/// Whether the first process has said something that was not listened to yet.
bool something_said();

}  // namespace gantry::shim::native
