"""python -m allometry.cli"""

from allometry.cli.application import main

if __name__ == "__main__":
    main()
