// The one place where Boost.Asio and Boost.Beast are compiled, but for TLS (BOOST_*_SEPARATE_COMPILATION everywhere
// else).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
