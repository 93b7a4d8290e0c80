import platform


def text():
    return "python " + platform.python_version()


if __name__ == "__main__":
    print(text())
