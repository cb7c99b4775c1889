CREATE TABLE "picture_places" (
	"id" uuid NOT NULL,
	"noted_at" timestamp with time zone DEFAULT now() NOT NULL
);
