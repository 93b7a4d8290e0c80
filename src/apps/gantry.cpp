#include "gantry/cli/cli.h"

int main(int argc, char** argv) { return gantry::cli::run(argc, argv); }
