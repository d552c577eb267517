from emovlm.cli import main

main()
