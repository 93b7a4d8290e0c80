#include <iostream>
#include "greet.h"
int main(int count, char** words) { std::cout << greet(count > 1 ? words[1] : "nobody") << "\n"; }
