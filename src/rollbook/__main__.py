from rollbook.entrypoints.cli import main

main()
