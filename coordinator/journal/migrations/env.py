"""Where alembic starts: it is given a connection, in a transaction that is not its own."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
