// The one place where Boost.Asio's TLS is compiled.
#include <boost/asio/ssl/impl/src.hpp>
